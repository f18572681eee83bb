"""Checks that no source file grows beyond what a reader can hold: 800 lines at most, 400 as a habit."""
import house

HARD_LIMIT = 800
SUFFIXES = (".cpp", ".h", ".c", ".td", ".py", ".mlir", ".test", ".sh")


def main():
    options = house.parser(__doc__).parse_args()
    report = house.Report("check-size")
    for path in house.project_files(options.root, *SUFFIXES):
        lines = house.read(options.root, path).count("\n")
        if lines > HARD_LIMIT:
            report.add(path, 0, f"{lines} lines; {HARD_LIMIT} at most")
    report.finish("split the file by what it does")


if __name__ == "__main__":
    main()
