"""What .ci/mutants and .ci/simulation-mutants share: a list of changes, a copy of the sources, and the build of one changed copy."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").absolute()
COPY = TARGET / "mutants" / "source"
# The copy has a target folder of its own. In the project's, its packages have the same names as the project's, and cargo would link a
# mutant into the project.
BUILT = TARGET / "mutants" / "target"
# What belongs to the project's own packages there.
OWN = ("*connector*", "webhook-*", "inbound-*", "to[-_]liveengage*", "to[-_]channel*", "token[-_]refresh*", "it-*", "use_cases-*")


class Wrong(Exception):
    """The list or the tests are wrong."""


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def read_list(path, fields, optional=frozenset()):
    """Returns the mutants of a list. Each must have these fields, and may have the optional ones."""
    mutants = tomllib.loads((ROOT / path).read_text())["mutant"]
    for mutant in mutants:
        name = mutant.get("name", "without a name")
        if set(mutant) - set(optional) != fields:
            raise Wrong(f"{name}: has the fields {sorted(mutant)}, but needs {sorted(fields)}")
        count = (ROOT / mutant["file"]).read_text().count(mutant["from"])
        if count != 1:
            raise Wrong(f"{name}: {mutant['file']} has `from` {count} times, and must have it once")
    names = [mutant["name"] for mutant in mutants]
    if len(set(names)) != len(names):
        raise Wrong("two mutants have the same name")
    return mutants


def named(mutants, wanted):
    """Returns the mutants with these names."""
    unknown = set(wanted) - {mutant["name"] for mutant in mutants}
    if unknown:
        raise Wrong(f"the list has no {sorted(unknown)}")
    return [mutant for mutant in mutants if mutant["name"] in wanted]


def write(path, content):
    """Writes a file only if its content has changed, because cargo rebuilds everything that is newer than its last build."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def link_dependencies():
    """Links what is built of the dependencies into the copy's target folder, because building it takes minutes."""
    if BUILT.exists():
        return
    for folder in (".fingerprint", "build", "deps"):
        source = TARGET / "debug" / folder
        if source.exists():
            shutil.copytree(
                source, BUILT / "debug" / folder, symlinks=True, ignore=shutil.ignore_patterns(*OWN), copy_function=os.link
            )


def copy_sources():
    link_dependencies()
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    names = {name for name in listed if name and (ROOT / name).is_file()}
    for name in names:
        write(COPY / name, (ROOT / name).read_bytes())
    for path in [path for path in COPY.rglob("*") if path.is_file()]:
        if str(path.relative_to(COPY)) not in names:
            path.unlink()


@contextlib.contextmanager
def changed(mutant):
    """Makes the mutant's change in the copy, and takes it back."""
    file = COPY / mutant["file"]
    whole = file.read_text()
    file.write_text(whole.replace(mutant["from"], mutant["to"]))
    try:
        yield
    finally:
        file.write_text(whole)


def build(*command):
    """Builds in the copy. Returns the path of the executable, or None if it doesn't compile, and the compiler's output."""
    environment = os.environ | {"CARGO_TARGET_DIR": str(BUILT)}
    command = ["cargo", *command, "--locked", "--quiet", "--message-format=json-render-diagnostics"]
    built = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        return None, built.stderr
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    # If there are several executables, the last one is the wanted one. The others are its dependencies.
    return [message["executable"] for message in messages if message.get("executable")][-1], built.stderr
