"""Counts properties that hold and keeps what is to be said of others. For the drivers beside this file."""


class Tally:
    def __init__(self, broken=()):
        self.held, self.broken = 0, list(broken)

    def expect(self, what, error, limit):
        if error <= limit:
            self.held += 1
        else:
            self.broken.append(f"{what} is wrong by {error:.1e}")

    def report(self, seed, whole=""):
        counts = f"seed {seed}: {self.held} properties hold, {len(self.broken)} do not{whole}"
        print("\n".join([*self.broken, counts]))
