from wfx.testing import EngineContract
from wfx_make import MakeEngine


class TestMake(EngineContract):
    engine = MakeEngine

    def workflow(self, tree):
        (tree / "Makefile").write_text(
            "top ?= 2\nall: b\nb: a sub/c\n\thead -n $(top) a > $@\nsub/c: a\n\tmkdir -p sub; cp a $@\n"
        )
        return "Makefile"

    def values(self, bench):
        return {"a": bench.file("a.txt", b"1\n2\n3\n")}

    def failing(self, tree):
        (tree / "Makefile").write_text("b:\n\techo begun > b; exit 3\n")
        return "Makefile"

    def broken(self, tree):
        (tree / "Makefile").write_text("b:\n\ttouch b\nendif\n")
        return "Makefile"

    def telltale(self, tree, marker):
        (tree / "Makefile").write_text(f"x := $(shell touch {marker})\nb:\n\ttouch b {marker}\n")
        return "Makefile"
