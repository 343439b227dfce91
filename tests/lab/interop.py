"""The results: a line per case, what was left out, and the matrices for people and for the docs."""

import re
import time
from collections import defaultdict

OK, FAILED, NOT_RUN, CANNOT = "ok", "FAILED", "–", "no"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


class Results:
    def __init__(self):
        self.passed = self.failed = 0
        self.versions = {}
        self.reasons = {}  # what is missing → why
        self.left_out = defaultdict(int)  # what is missing → cases
        self.cells = defaultdict(dict)  # scenario → (sender, receiver) → verdict
        self.titles = {}

    def take(self, scenario, watch, folder):
        mail = watch.mail
        towards = f" → {mail.receiver}" if mail.receiver else ""
        case = f"{scenario.name}: {mail.sender.name}{towards}"
        if watch.done:
            self.failed += 1
            print(f"FAILED {case}: {watch.done} (logs: {folder / mail.sender.name})")
        else:
            self.passed += 1
            print(f"ok {case} {watch.seconds:.1f} s")
        self._note(scenario, mail.sender.name, mail.receiver, FAILED if watch.done else OK)

    def broken(self, scenario, reason, folder):
        """The scenario itself did not stand."""
        self.failed += 1
        self.titles[scenario.name] = scenario
        print(f"FAILED {scenario.name}: {reason} (logs: {folder})")

    def missing(self, name, reason):
        if name not in self.reasons:
            print(f"LAB WITHOUT {name}: {reason}")
        self.reasons[name] = reason

    def skipped(self, scenario, names, count):
        if count:
            self.left_out[names[0]] += count
            print(f"note: {scenario.name}: {count} cases left out, without {', '.join(names)}")

    def skip_lines(self):
        return [f"skipped: lab.{name}: {why}; {self.left_out[name]} cases" for name, why in self.reasons.items()]

    def learn_versions(self, peers):
        for peer in peers.values():
            if type(peer) not in self.versions:
                self.versions[type(peer)] = peer.version()

    def matrices(self):
        """The pairs first, then each other scenario with its senders."""
        text = ""
        for name, cells in self.cells.items():
            if any(receiver for _, receiver in cells):
                text += self._pairs(name, cells)
        rest = {name: cells for name, cells in self.cells.items() if not any(to for _, to in cells)}
        return text + (self._list(rest) if rest else "")

    def _note(self, scenario, sender, receiver, verdict):
        self.titles[scenario.name] = scenario
        cells = self.cells[scenario.name]
        if cells.get((sender, receiver)) != FAILED:
            cells[sender, receiver] = verdict

    def _pairs(self, name, cells):
        senders, receivers = {who for who, _ in cells}, {to for _, to in cells}
        order = list(self.titles[name].hosts)
        senders, receivers = (sorted(hosts, key=order.index) for hosts in (senders, receivers))
        rows = [[sender] + [cells.get((sender, to), NOT_RUN) for to in receivers] for sender in senders]
        return self._heading(name) + table(["from \\ to", *receivers], rows)

    def _list(self, rest):
        senders = in_order(sender for cells in rest.values() for sender, _ in cells)
        rows = []
        for name, cells in rest.items():
            scenario = self.titles[name]
            cell = lambda who: cells.get((who, ""), CANNOT if who in scenario.known else NOT_RUN)
            rows.append([name, scenario.title, scenario.rule, *map(cell, senders)])
        text = "\nEverything else, by sender\n\n" + table(["scenario", "what", "rule", *senders], rows)
        known = [(name, who, why) for name in rest for who, why in self.titles[name].known.items()]
        return text + ("\n" if known else "") + "".join(f"- {name}: {who} {why}.\n" for name, who, why in known)

    def _heading(self, name):
        scenario = self.titles[name]
        rule = f" ({scenario.rule})" if scenario.rule else ""
        return f"\n{name}: {scenario.title}{rule}\n\n"


def in_order(names):
    return list(dict.fromkeys(names))


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(path, results):
    """Puts the results between the two marks of the document."""
    versions = ", ".join(sorted(results.versions.values()))
    day = time.strftime("%Y-%m-%d", time.gmtime())
    text = f"{BEGIN}\n\nOf {day}, with {versions}.\n{results.matrices()}"
    for name, why in results.reasons.items():
        text += f"\nLeft out: {name} ({why}), {results.left_out[name]} cases.\n"
    text += f"\n{END}"
    document = path.read_text()
    if BEGIN not in document or END not in document:
        raise SystemExit(f"{path} has no place for results: {BEGIN} … {END}")
    path.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: text, document, flags=re.DOTALL))
