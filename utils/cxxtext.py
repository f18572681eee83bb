"""A reader of C++ text for the checks: finds calls by name and the string literals of the statement they stand in."""
import re

STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
SKIP = re.compile(r"//[^\n]*|/\*.*?\*/|'(?:[^'\\\n]|\\.)+'", re.S)


def without_comments(text):
    """The text with comments blanked out; offsets and lines stay."""
    lexeme = re.compile(f"{STRING.pattern}|{SKIP.pattern}", re.S)
    blank = lambda m: re.sub(r"[^\n]", " ", m[0]) if m[0].startswith(("//", "/*")) else m[0]
    return lexeme.sub(blank, text)


def tokens(text, start):
    """(kind, value, offset) from start: strings as ('string', content), other characters one by one, no comments."""
    i = start
    while i < len(text):
        skipped = SKIP.match(text, i)
        if skipped:
            i = skipped.end()
            continue
        string = STRING.match(text, i)
        if string:
            yield "string", string[1], i
            i = string.end()
            continue
        if not text[i].isspace():
            yield "char", text[i], i
        i += 1


def statement_pieces(text, start):
    """The parts of the message of a call whose opening bracket is at `start`, up to the end of its statement: literals
    as text, anything else as None. Adjacent literals are one. Literals inside nested calls do not count."""
    pieces, depth, message_depth, adjacent = [], 0, 1, False

    def operand():
        if not pieces or pieces[-1] is not None:
            pieces.append(None)

    for kind, value, _ in tokens(text, start):
        if kind == "string":
            if depth > message_depth:
                operand()
            elif adjacent:
                pieces[-1] += value
            else:
                pieces.append(value)
            adjacent = depth <= message_depth
            continue
        if value in "([{":
            depth += 1
            if depth > message_depth:
                operand()
        elif value in ")]}":
            depth -= 1
            if depth < 0:
                break
            if depth == 0:
                message_depth = 0  # the call's own arguments are over; what follows is streamed into it
        elif value == ";" and depth == 0:
            break
        elif value not in "<,":
            operand()
        adjacent = adjacent and value == "<"
    return pieces
