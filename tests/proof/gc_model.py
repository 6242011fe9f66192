#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches every interleaving of writers and collectors for one that loses a chunk.

  gc_model.py [--long] [--config NAME] [--mutant NAME]... [--trace]

Without options: each configuration must be safe, and each mutant (the protocol with one rule switched
off) must lose something in the configuration that is named for it. Some rules are covered by others;
these are listed apart, with what they are covered by. One line each, and at the end "N passed, N failed";
the exit code is 1 if any failed. With --config: that search alone, without the rules that are named by
--mutant; it passes when it finds nothing. --long (or COFFRE_PROOF_LONG=1) adds larger configurations.
--trace shows the shortest way in which each mutant loses something.

What is modelled (docs/architecture.md, section "Commit"; docs/format.md, section "gclog"):

  objects     Packs and bundles, as bits of one number. A pack is a list of blocks, each with one chunk:
              stored whole (depth 0), or a delta of some depth on one base. A block is found when its
              pack is there and, where bundles are modelled, a bundle that is there names the pack.
  snapshots   A slot per session: empty, KILLED, or a set of chunks; forgets beside it.
  log         Condemn, wait, sweep and checkpoint records, each created if absent. What lies before the
              last checkpoint may be removed; then its numbers are absent again.
  writers     Session, log, (parent), for each chunk: reuse, inherit, store whole or as a delta; bundle,
              census, slot, (log again). "undo" publishes the chunks of a forgotten snapshot anew.
  collectors  Log, packs, snapshots, (replacement,) condemn, sessions, wait or fence, snapshots, packs,
              sweep. Whoever finds an open condemn record goes on with it, and waits for the sessions that
              another has noted after it, if one has. What was swept is removed at
              any later time, by anyone: so a collector that stops in the middle needs no step.

Each access to the store is one step; a process that crashes is one that makes no more steps. Whoever may
choose (which packs to condemn, whether to reuse, when to fence, forget, remove) chooses in every way;
only the sweep list is as long as it may be.

Two things must hold in every state:

  * each chunk of each snapshot that is published, not forgotten and not closed can be read from what is
    in the store, each base from a copy of smaller depth;
  * the slot of a writer that has reported success holds its snapshot, until that is forgotten.

Forgetting takes only what is known to somebody. Checkpoints close slots that are KILLED or forgotten. Those
are removed then, and after them their forgets; records of ended sessions at any time. A repair may append a
checkpoint at any time, which takes back what is condemned.

Limits. A few chunks, packs and processes, one or two collections: a search of small worlds, no proof for
all. One chunk a block and one base a delta. Create-if-absent is atomic, and a listing shows all that was
there when it began; only the first listing of a collection may be old ("late"). The log is read in one
step. A listing of packs shows their bundles of the same moment. A power cut ends all processes; what it
may undo are packs, bundles and forgets that no barrier has covered since; slots, sessions and log records
are taken to be durable when their writer goes on. No damage, no clocks: a fence may come at any time.
"""

import argparse
import collections
import functools
import itertools
import os
import sys

NEVER = 99  # a depth at which nothing can be read
KILLED = -1
CONDEMN, SWEEP, CHECKPOINT, WAIT = "condemn", "sweep", "checkpoint", "wait"

# objects, sessions, forgotten: bits. slots: by session, 0 for empty. loose: objects and forgets that a
# power cut may undo. removed: how many of the first log records are. Processes: (place in the program, what it remembers...).
State = collections.namedtuple(
    "State", "objects sessions slots forgotten log writers collectors loose loose_forgets removed")
Record = collections.namedtuple("Record", "kind objects slots")
Block = collections.namedtuple("Block", "chunk depth base")
# What a writer goes by: packs it must not rely on, whether the log ends in a condemn record, what it relies
# on, the chunks still to do, those to be published, the bundle to put.
Work = collections.namedtuple("Work", "bad is_open relied todo wanted bundle parent")

Writer = collections.namedtuple("Writer", "kind wants deltas", defaults=("plain", "", ()))
# What there is at first: packs and their blocks, bundles and the packs they name, snapshots and their chunks.
# generations: how often the log may come to a condemn record. replacements: what a collector may put before
# one, as (made from, name, content). options: "forget" at any time; "late": a collector's first listing is
# from before it reads the log; "packs-first": so may be the order of its second listings; "checkpoint",
# "bundles" and "power" are modelled; "mend": a repair of the log; "truncate": the log's removed records.
Config = collections.namedtuple(
    "Config", "name packs snapshots writers collectors generations options replacements bundles",
    defaults=({}, (), (), 1, 1, "", (), {}))


def bits(mask):
    """The places of the ones in mask, the lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def subsets(mask):
    """Every subset of mask, the largest numbers first, the empty one last."""
    part = mask
    while part:
        yield part
        part = (part - 1) & mask
    yield 0


def letters(chunks):
    """The names of chunks that stand in a mask."""
    return [chr(ord("A") + place) for place in bits(chunks)]


def with_item(items, place, value):
    return items[:place] + (value,) + items[place + 1:]


def parse_block(text):
    """'A' is chunk A stored whole; 'C1B' is chunk C as a delta of depth 1 on B."""
    return Block(text[0], int(text[1]), text[2]) if len(text) > 1 else Block(text, 0, None)


class LogView:
    """What a log says."""

    def __init__(self, log):
        self.condemned = self.swept = self.closed = 0
        self.is_open = False
        self.collections = 0
        self.checkpoints = 0
        for record in log:
            self.apply(record)

    def apply(self, record):
        if record.kind == CONDEMN:
            self.condemned, self.is_open = record.objects, True
            self.collections += 1
        elif record.kind == SWEEP:
            self.swept |= record.objects
            self.condemned, self.is_open = 0, False
        elif record.kind == CHECKPOINT:
            self.condemned, self.is_open = 0, False
            self.closed |= record.slots
            self.checkpoints += 1


look = functools.lru_cache(maxsize=None)(LogView)


# ---------------------------------------------------------------- what there is in a configuration

class Universe:
    """Names, contents and owners of all objects that a configuration can ever have."""

    def __init__(self, config):
        self.config = config
        self.has_bundles = "bundles" in config.options
        self.names, self.blocks, self.owners = [], [], []
        self.named = {}         # bundle -> packs that it names
        self.bundle_of = {}     # pack of a writer -> the bundle that its writer puts
        self.first_writer = len(config.snapshots)
        self.sessions = self.first_writer + len(config.writers)
        for name, blocks in config.packs.items():
            self.add_pack(name, blocks, -1)
        for name, packs in config.bundles.items():
            self.add_bundle(name, packs.split())
        self.old = (1 << len(self.names)) - 1
        self.fresh = {}         # (writer, block) -> the pack in which it would store that
        for place, writer in enumerate(config.writers):
            self.add_writer(place, writer)
        self.replacements = [self.add_replacement(*r) for r in config.replacements]

    def add(self, name, blocks, owner):
        self.names.append(name)
        self.blocks.append(tuple(blocks))
        self.owners.append(owner)
        return len(self.names) - 1

    def add_pack(self, name, blocks, owner):
        return self.add(name, map(parse_block, blocks.split()), owner)

    def add_bundle(self, name, packs):
        place = self.add(name, (), -1)
        self.named[place] = sum(1 << self.names.index(pack) for pack in packs)
        return place

    def add_writer(self, place, writer):
        session = self.first_writer + place
        for text in list(writer.wants) + list(writer.deltas):
            name = "%s of W%d" % (text, place)
            pack = self.add_pack(name, text, session)
            self.fresh[place, parse_block(text)] = pack
            if self.has_bundles:
                self.bundle_of[pack] = self.add_bundle("bundle of " + name, [name])

    def add_replacement(self, sources, name, content):
        """A pack of blocks, or a bundle if content names packs; with the objects that it is made from."""
        source = sum(1 << self.names.index(s) for s in sources.split())
        if content.startswith("names "):
            return source, 1 << self.add_bundle(name, content.split()[1:])
        mask = 1 << self.add_pack(name, content, -1)
        if self.has_bundles:
            mask |= 1 << self.add_bundle("bundle of " + name, [name])
        return source, mask

    def show(self, mask):
        return "{" + ", ".join(self.names[place] for place in bits(mask)) + "}"

    def chunks(self, text):
        return sum(1 << (ord(chunk) - ord("A")) for chunk in text)


# ---------------------------------------------------------------- the protocol

class Model:
    """The steps that each process may take, with the rules named in `without` switched off."""

    def __init__(self, config, without=frozenset()):
        self.config = config
        self.world = Universe(config)
        self.off = frozenset(without)
        self.options = frozenset(config.options.split())
        self.bundles = sum(1 << place for place in self.world.named)
        for name in ("found", "depths", "is_enough", "condemnable_sets", "sweep_lists", "lost"):
            setattr(self, name, functools.lru_cache(maxsize=None)(getattr(self, name)))

    def first(self):
        chunks = self.world.chunks
        slots = tuple(chunks(s) for s in self.config.snapshots) + (0,) * len(self.config.writers)
        writers = (("start",),) * len(self.config.writers)
        return State(self.world.old, 0, slots, 0, (), writers,
                     (("idle",),) * self.config.collectors, 0, 0, 0)

    # ------------------------------------------------------------ what can be read

    def found(self, objects):
        """The packs among the objects whose blocks can be found."""
        packs = named = 0
        for place in bits(objects):
            if place in self.world.named:
                named |= self.world.named[place]
            else:
                packs |= 1 << place
        return packs & named if self.world.has_bundles else packs

    def depths(self, objects, any_depth=False, needs_bundle=True):
        """For each chunk the smallest depth at which it can be read from these objects."""
        packs = self.found(objects) if needs_bundle else objects
        blocks = sorted((block.depth, block) for place in bits(packs)
                        for block in self.world.blocks[place])
        if any_depth:
            return self.depths_of_any(block for _, block in blocks)
        best = {}
        for depth, block in blocks:
            if block.base is None or best.get(block.base, NEVER) < depth:
                best.setdefault(block.chunk, depth)
        return best

    @staticmethod
    def depths_of_any(blocks):
        """As depths, if a base might be of any depth; then even rings seem to be readable."""
        blocks = list(blocks)
        while True:
            best = {block.chunk: -1 for block in blocks}
            rest = [b for b in blocks if b.base is None or b.base in best]
            if len(rest) == len(blocks):
                return best
            blocks = rest

    def lost(self, objects, chunks):
        """The chunks that cannot be read from these objects."""
        best = self.depths(objects)
        return "".join(chunk for chunk in letters(chunks) if chunk not in best)

    def live(self, state):
        """The chunks that snapshots need."""
        return self.needed(state.slots, state.forgotten | look(state.log).closed)

    @staticmethod
    def needed(slots, given_up):
        chunks = 0
        for session, slot in enumerate(slots):
            if slot > 0 and not given_up >> session & 1:
                chunks |= slot
        return chunks

    def violation(self, state):
        """What is wrong with the state, or None."""
        lost = self.lost(state.objects, self.live(state))
        if lost:
            return "a snapshot lost " + lost
        closed = look(state.log).closed
        for place, writer in enumerate(state.writers):
            session = self.world.first_writer + place
            if writer[0] == "success" and (state.slots[session] <= 0 or closed >> session & 1):
                return "W%d reported success and has no snapshot" % place
        return None

    # ------------------------------------------------------------ what a collector computes

    def is_enough(self, listed, rest, needed):
        """Whether `rest` of what was listed keeps all that is needed readable, and all bases."""
        how = "base-of-any-depth" in self.off, "count-packs-without-bundle" not in self.off
        before, after = self.depths(listed, *how), self.depths(rest, *how)
        if any(chunk in before and chunk not in after for chunk in letters(needed)):
            return False
        if self.found(listed) & rest & ~self.found(rest):
            return False  # a pack would stay that no bundle names
        if "drop-bases-of-dead-blocks" in self.off:
            return True
        return not any(self.loses_base(block, before, after) for place in bits(self.found(rest))
                       for block in self.world.blocks[place])

    @staticmethod
    def loses_base(block, before, after):
        return (block.base is not None and before.get(block.base, NEVER) < block.depth and
                not after.get(block.base, NEVER) < block.depth)

    def may_go(self, listed, gone, needed):
        if "condemn-both-copies" in self.off:
            return all(self.is_enough(listed, listed & ~(1 << place), needed)
                       for place in bits(gone))
        return self.is_enough(listed, listed & ~gone, needed)

    def condemnable_sets(self, listed, needed, ended):
        """All sets of packs and bundles that a collector may condemn."""
        mask = 0
        for place in bits(listed):
            owner = self.world.owners[place]
            if owner < 0 or ended >> owner & 1 or "condemn-open-sessions-pack" in self.off:
                mask |= 1 << place
        return [gone for gone in subsets(mask) if gone and self.may_go(listed, gone, needed)]

    def sweep_lists(self, listed, condemned, needed):
        """The longest lists of condemned objects that may be swept."""
        may_go = self.may_go
        if "pardon-without-bases" in self.off:
            may_go = functools.partial(self.may_go_without_bases, condemned)
        lists = []
        for gone in sorted(subsets(condemned & listed), key=lambda m: -m.bit_count()):
            if may_go(listed, gone, needed) and not any(gone & ~x == 0 for x in lists):
                lists.append(gone)
        return lists

    def may_go_without_bases(self, condemned, listed, gone, needed):
        """As may_go, if a copy in a pardoned pack were enough without what it rests on."""
        kept = {block.chunk for place in bits(self.found(listed & ~gone))
                for block in self.world.blocks[place]}
        bases = {block.base for place in bits(self.found(listed & ~condemned))
                 for block in self.world.blocks[place] if block.base}
        return kept.issuperset(letters(needed)) and kept.issuperset(bases)

    # ------------------------------------------------------------ writers

    def writer_steps(self, state, place):
        process = state.writers[place]
        step = getattr(self, "writer_" + process[0], None)
        if step is None:
            return
        writer = self.config.writers[place]

        def go(*process, **changes):
            return state._replace(writers=with_item(state.writers, place, process), **changes)

        for text, detail, following in step(state, place, writer, process, go):
            yield "W%d: %s" % (place, text), detail, following

    def writer_start(self, state, place, writer, _process, go):
        if writer.kind == "undo" and not state.forgotten & 1:
            return
        session = 1 << (self.world.first_writer + place)
        if "read-log-before-session" in self.off:
            yield "read log", 0, go("early", self.begin(state, writer))
        elif "parent-before-session" in self.off and writer.kind == "inherit":
            work = Work(0, False, 0, "", 0, 0, self.has_parent(state.slots, writer, state.forgotten))
            yield "session, parent chosen before", 0, go(
                "log", work, sessions=state.sessions | session)
        else:
            yield "session", 0, go("log", None, sessions=state.sessions | session)

    def writer_early(self, state, place, writer, process, go):
        session = 1 << (self.world.first_writer + place)
        yield "session", 0, go(*self.after_log(writer, process[1]),
                               sessions=state.sessions | session)

    def writer_log(self, state, _place, writer, process, go):
        work = self.begin(state, writer)
        if process[1] is not None:
            work = work._replace(parent=process[1].parent)
            yield "read log", 0, go(*self.with_parent(work))
        else:
            yield "read log", 0, go(*self.after_log(writer, work))

    def begin(self, state, writer):
        view = look(state.log)
        bad = view.condemned | view.swept
        if "reuse-swept" in self.off:
            bad &= ~view.swept
        if "reuse-condemned" in self.off:
            bad &= ~view.condemned
        wants = self.world.chunks(writer.wants)
        return Work(bad, view.is_open, 0, writer.wants, wants, 0, False)

    def after_log(self, writer, work):
        if writer.kind == "inherit":
            return "forgets", work
        if writer.kind == "undo" and ("undo-without-check" in self.off or
                                      "undo-trusts-a-swept-log" in self.off and not work.is_open):
            return "census", work._replace(todo="")
        return "choose", work

    def writer_forgets(self, state, _place, writer, process, go):
        """The parent is chosen: forgets, then slots, then what a checkpoint closed."""
        work = process[1]
        if "checkpoint" not in self.options:
            has = self.has_parent(state.slots, writer, state.forgotten)
            yield "choose parent", 0, go(*self.with_parent(work._replace(parent=has)))
        elif "forgets-after-slots" in self.off:
            yield "list slots", 0, go("late_forgets", work, self.closed_early(state), state.slots)
        else:
            yield "list forgets", 0, go(
                "slots", work, state.forgotten | self.closed_early(state))

    def closed_early(self, state):
        return look(state.log).closed if "closed-before-slots" in self.off else 0

    def writer_slots(self, state, _place, _writer, process, go):
        _, work, given_up = process
        yield "list slots", 0, go("closed", work, given_up, state.slots)

    def writer_late_forgets(self, state, _place, _writer, process, go):
        _, work, closed, slots = process
        yield "list forgets", 0, go("closed", work, closed | state.forgotten, slots)

    def writer_closed(self, state, _place, writer, process, go):
        _, work, given_up, slots = process
        if not {"checkpoints-are-ignored", "closed-before-slots"} & self.off:
            given_up |= look(state.log).closed
        has = self.has_parent(slots, writer, given_up)
        yield "choose parent", 0, go(*self.with_parent(work._replace(parent=has)))

    def has_parent(self, slots, writer, given_up):
        wants = self.world.chunks(writer.wants)
        return any(slot > 0 and not given_up >> session & 1 and not wants & ~slot
                   for session, slot in enumerate(slots))

    def with_parent(self, work):
        """Takes over what the parent has, unless it must be looked up."""
        if work.parent and (not work.is_open or "inherit-condemned" in self.off):
            work = work._replace(todo="")
        return ("choose" if work.todo else "census"), work

    def writer_choose(self, state, place, writer, process, go):
        work = process[1]
        chunk, rest = work.todo[0], work.todo[1:]
        usable = self.usable(state, work)
        after = "choose" if rest else "census"
        reliance = self.reliance(usable, chunk)
        if reliance is not None:
            yield "reuse " + chunk, 0, go(
                after, work._replace(relied=work.relied | reliance, todo=rest))
        if writer.kind == "undo":
            if reliance is None:
                yield "cannot undo", 0, go("failed")
            return
        for (owner, block), pack in self.world.fresh.items():
            if owner == place and block.chunk == chunk:
                yield from self.store(state, work, block, pack, go)

    def usable(self, state, work):
        """Of bundles any that is there will do: their packs keep one."""
        return state.objects & (~work.bad | self.bundles)

    def reliance(self, usable, chunk):
        """The packs with which a chunk can be used again, or None. Which copy matters to nobody."""
        best = self.depths(usable, "writer-takes-base-of-any-depth" in self.off)
        for place in bits(self.found(usable)):
            for block in self.world.blocks[place]:
                if block.chunk != chunk:
                    continue
                if block.base is None or "reuse-without-base-check" in self.off:
                    return 1 << place
                if best.get(block.base, NEVER) < block.depth:
                    return 1 << place | self.chain(usable, block.base, best)
        return None

    def chain(self, usable, chunk, best):
        """Packs from which the chunk can be read, each base at its smallest depth."""
        for place in bits(self.found(usable)):
            for block in self.world.blocks[place]:
                if block.chunk == chunk and block.depth == best[chunk]:
                    deeper = self.chain(usable, block.base, best) if block.base else 0
                    return 1 << place | deeper
        return 0  # only where a rule is off

    def store(self, state, work, block, pack, go):
        relied = work.relied | 1 << pack
        if block.base is not None:
            usable = self.usable(state, work)
            if not self.depths(usable).get(block.base, NEVER) < block.depth:
                return
            relied |= self.chain(usable, block.base, self.depths(usable))
        work = work._replace(relied=relied, todo=work.todo[1:])
        after = "choose" if work.todo else "census"
        changes = {"objects": state.objects | 1 << pack}
        if "power" in self.options:
            changes["loose"] = state.loose | 1 << pack
        if self.world.has_bundles:
            after, work = "bundle", work._replace(bundle=self.world.bundle_of[pack])
        yield "put", 1 << pack, go(after, work, **changes)

    def writer_bundle(self, state, _place, _writer, process, go):
        work = process[1]
        bundle = 1 << work.bundle
        changes = {"objects": state.objects | bundle}
        if "power" in self.options:
            changes["loose"] = bundle  # the packs became durable before it
        after = "choose" if work.todo else "census"
        yield "put", bundle, go(after, work._replace(bundle=0), **changes)

    def writer_census(self, state, _place, _writer, process, go):
        work = process[1]
        if work.relied & ~state.objects and "no-census" not in self.off:
            yield "census fails", 0, go("failed")
        else:
            yield "census", 0, go("slot", work.wanted)

    def writer_slot(self, state, place, _writer, process, go):
        session = self.world.first_writer + place
        if state.slots[session]:
            yield "is fenced", 0, go("failed")
        elif "fence-check-then-commit" in self.off:
            yield "slot is empty", 0, go("overwrite", process[1])
        else:
            yield self.publish(state, session, process[1], go)

    def writer_overwrite(self, state, place, _writer, process, go):
        yield self.publish(state, self.world.first_writer + place, process[1], go)

    def publish(self, state, session, wanted, go):
        again = "checkpoint" in self.options and "success-without-log" not in self.off
        slots = with_item(state.slots, session, wanted)
        after = "again" if again else "success"
        if "publish-without-barrier" in self.off:
            return "publish", 0, go(after, slots=slots)
        return "publish, after a barrier", 0, go(after, slots=slots, loose=0, loose_forgets=0)

    def writer_again(self, state, place, _writer, _process, go):
        session = self.world.first_writer + place
        is_void = look(state.log).closed >> session & 1
        yield "read log again", 0, go("failed" if is_void else "success")

    # ------------------------------------------------------------ collectors

    def collector_steps(self, state, place):
        process = state.collectors[place]

        def go(*process, **changes):
            others = state.collectors[:place] + state.collectors[place + 1:]
            # Collectors are alike: which of them is where does not matter.
            return state._replace(collectors=tuple(sorted(others + (process,))), **changes)

        for text, detail, following in getattr(self, "collector_" + process[0])(state, process, go):
            yield "G: " + text, detail, following

    def collector_idle(self, state, _process, go):
        view = look(state.log)
        if "late" in self.options and view.collections < self.config.generations:
            yield "list packs", state.objects, go("early", state.objects)
        if "checkpoint" in self.options and view.checkpoints <= ("truncate" in self.options):
            yield "read log", 0, go("slots", len(state.log))
        if view.is_open:
            yield "read log, goes on", 0, go(*self.to_sessions(state, len(state.log), 0))
        elif "late" not in self.options and view.collections < self.config.generations:
            yield "read log", 0, go(*self.to_packs(state))

    def noted_sessions(self, log):
        """Those of the wait record that follows the last condemn record, or None."""
        for record in reversed(log):
            if record.kind == WAIT:
                return record.slots
            if record.kind == CONDEMN and "stale-wait" not in self.off:
                return None
        return None

    def to_packs(self, state):
        early = self.sessions_too_early(state)
        if "snapshots-before-packs" in self.off:
            return "snapshots", len(state.log), early
        return "packs", len(state.log), early

    def sessions_too_early(self, state):
        return state.sessions if "list-sessions-before-condemn" in self.off else -1

    def collector_early(self, state, process, go):
        view = look(state.log)
        if view.is_open or view.collections >= self.config.generations:
            yield "read log", 0, go("idle")
        else:
            listed = self.without_swept(process[1], view)
            yield "read log", 0, go("mark", len(state.log), listed, self.sessions_too_early(state))

    def without_swept(self, objects, view):
        return objects if "count-swept-copies" in self.off else objects & ~view.swept

    def collector_packs(self, state, process, go):
        _, number, sessions = process
        listed = self.without_swept(state.objects, look(state.log[:number]))
        yield "list packs", listed, go("mark", number, listed, sessions)

    def collector_snapshots(self, state, process, go):
        """Only where a rule is off: the two listings in the wrong order."""
        _, number, sessions = process
        needed, ended = self.list_snapshots(state, number)
        yield "list snapshots", 0, go("late_packs", number, needed, ended, sessions)

    def collector_late_packs(self, state, process, go):
        _, number, needed, ended, sessions = process
        listed = self.without_swept(state.objects, look(state.log[:number]))
        for gone in self.condemnable_sets(listed, needed, ended):
            yield "list packs, to condemn", gone, go("condemn", number, gone, listed, sessions)

    def list_snapshots(self, state, number):
        """Chunks that are needed, and sessions that have ended."""
        closed = look(state.log[:number]).closed
        ended = closed | sum(1 << s for s, slot in enumerate(state.slots) if slot)
        return self.needed(state.slots, state.forgotten | closed), ended

    def collector_mark(self, state, process, go):
        _, number, listed, sessions = process
        needed, ended = self.list_snapshots(state, number)
        for gone in self.condemnable_sets(listed, needed, ended):
            yield "list snapshots, to condemn", gone, go("condemn", number, gone, listed, sessions)
        for source, new in self.world.replacements:
            if source & ~listed or new & (state.objects | look(state.log).swept):
                continue
            yield "list snapshots, to replace", source, go(
                "replace", number, listed, needed, ended, sessions, new)

    def collector_replace(self, state, process, go):
        _, number, listed, needed, ended, sessions, new = process
        if new & (state.objects | look(state.log).swept):
            yield "gives up", 0, go("idle")  # another took the name: there are only so many here
            return
        changes = {"objects": state.objects | new}
        if "power" in self.options:
            is_late = "repack-before-durable" in self.off
            changes["loose"] = state.loose | new if is_late else 0
        for gone in self.condemnable_sets(listed | new, needed, ended):
            yield "put %s, to condemn" % self.world.show(new), gone, go(
                "condemn", number, gone, listed | new, sessions, **changes)

    def append(self, state, number, record):
        """The log with that record, or None when there is one of the number."""
        if len(state.log) == number:
            return state.log + (record,)
        if number >= state.removed:
            return None
        if "removed-numbers-count" in self.off:
            return with_item(state.log, number, record)
        # It lies before a checkpoint. Who reads the log again, after having appended, sees that.
        return state.log if "trust-any-append" in self.off else None

    def collector_condemn(self, state, process, go):
        _, number, gone, listed, sessions = process
        record = Record(CONDEMN, gone, 0)
        log = self.append(state, number, record)
        if log is not None:
            yield "condemn", gone, go(
                *self.to_sessions(state, number + 1, listed, sessions), log=log)
        elif "condemn-at-a-later-number" in self.off and not look(state.log).is_open:
            yield "condemn", gone, go(*self.to_sessions(state, len(state.log) + 1, listed, sessions),
                                      log=state.log + (record,))
        else:
            yield "another record came first", 0, go("idle")

    def to_sessions(self, state, number, listed, sessions=-1):
        if "no-relist-packs" not in self.off:
            listed = 0
        if "no-wait" in self.off:
            return "wait", number, 0, listed
        if sessions >= 0:  # listed too early
            return "wait", number, sessions, listed
        return "sessions", number, listed

    def collector_sessions(self, state, process, go):
        _, number, listed = process
        noted = self.noted_sessions(state.log[:number])
        sessions = state.sessions if noted is None else state.sessions & noted
        yield "list sessions", 0, go("wait", number, self.open_ones(state, sessions), listed)

    @staticmethod
    def open_ones(state, sessions):
        return sum(1 << s for s in bits(sessions) if not state.slots[s])

    def collector_wait(self, state, process, go):
        _, number, sessions, listed = process
        waiting = self.open_ones(state, sessions)
        for session in bits(waiting):
            slots = with_item(state.slots, session, KILLED)
            yield "fence W%d" % (session - self.world.first_writer), 0, go(
                "wait", number, waiting & ~(1 << session), listed, slots=slots)
        if waiting:
            log = self.append(state, number, Record(WAIT, 0, waiting))
            if log is not None and self.noted_sessions(state.log) is None:
                yield "note sessions", 0, go("idle", log=log)
            return
        if "packs-first" in self.options and not listed:
            yield "list packs again", 0, go("wait", number, 0, state.objects)
        needed, _ = self.list_snapshots(state, number)
        if "no-relist-snapshots" in self.off:
            needed = 0
        yield "list snapshots again", 0, go("relist", number, needed, listed)

    def collector_relist(self, state, process, go):
        _, number, needed, listed = process
        view = look(state.log[:number])
        seen = "choose" if listed else "list packs again"
        listed = self.without_swept(listed or state.objects, view)
        changes = {}
        if "sweep-without-barrier" not in self.off:
            seen += ", barrier"
            changes = {"loose": 0, "loose_forgets": 0}
        if "no-relist-snapshots" in self.off:
            lists = [view.condemned & listed]
        elif "sweep-bundles-as-condemned" in self.off:
            lists = [gone | view.condemned & self.bundles
                     for gone in self.sweep_lists(listed, view.condemned, needed)]
        else:
            lists = self.sweep_lists(listed, view.condemned, needed)
        for gone in lists:
            yield "%s, to sweep" % seen, gone, go("sweep", number, gone, **changes)

    def collector_sweep(self, state, process, go):
        _, number, gone = process
        log = self.append(state, number, Record(SWEEP, gone, 0))
        if log is None and "sweep-at-a-later-number" in self.off:
            log = state.log + (Record(SWEEP, gone, 0),)
        if "unlogged-sweep" in self.off:
            yield "sweep", gone, go("remove", gone, log=log or state.log)
        elif log is not None:
            yield "sweep", gone, go("idle", log=log)
        else:
            yield "another record came first", 0, go("idle")

    def collector_remove(self, state, process, go):
        """Only where the list is not decided by the log; else removal belongs to no process."""
        gone = process[1]
        low = gone & -gone
        if gone:
            yield "remove", low, go("remove", gone ^ low, objects=state.objects & ~low)
        else:
            yield "done", 0, go("idle")

    def collector_slots(self, state, process, go):
        closable = state.forgotten | sum(
            1 << s for s, slot in enumerate(state.slots) if slot == KILLED)
        if "close-empty-slots" in self.off:
            closable |= self.open_ones(state, state.sessions)
        if closable or "truncate" in self.options:
            yield "list slots", 0, go("close", process[1], closable)

    def collector_close(self, state, process, go):
        _, number, slots = process
        log = self.append(state, number, Record(CHECKPOINT, 0, slots))
        if log is None:
            yield "another record came first", 0, go("idle")
        else:
            yield "checkpoint", 0, go("idle", log=log)

    def truncation_steps(self, state):
        """Nothing but the last checkpoint, and what follows it, need stay."""
        kinds = [record.kind for record in state.log[state.removed + 1:]]
        if CHECKPOINT in kinds:
            last = len(state.log) - 1 - kinds[::-1].index(CHECKPOINT)
            yield "remove records before %d" % last, 0, state._replace(removed=last)

    # ------------------------------------------------------------ everything else

    def forget_steps(self, state):
        given_up = state.forgotten | look(state.log).closed
        for session, slot in enumerate(state.slots):
            if slot <= 0 or given_up >> session & 1:
                continue
            writers = state.writers
            place = session - self.world.first_writer
            if place >= 0:
                if writers[place][0] != "success":
                    continue  # it is not known to anybody yet; this only spares states
                writers = with_item(writers, place, ("forgotten",))
            loose = state.loose_forgets | 1 << session if "power" in self.options else 0
            yield "forget snapshot %d" % session, 0, state._replace(
                forgotten=state.forgotten | 1 << session, writers=writers, loose_forgets=loose)

    def removal_steps(self, state):
        view = look(state.log)
        for place in bits(state.objects & view.swept):
            yield "remove", 1 << place, state._replace(objects=state.objects & ~(1 << place))
        if "checkpoint" in self.options:
            for session in bits(state.sessions):
                if state.slots[session] or view.closed >> session & 1:
                    yield "remove record of session %d" % session, 0, state._replace(
                        sessions=state.sessions & ~(1 << session))
        for session in bits(view.closed):
            if state.slots[session]:
                yield "remove closed slot %d" % session, 0, state._replace(
                    slots=with_item(state.slots, session, 0))
            elif state.forgotten >> session & 1:
                yield "remove forget %d" % session, 0, state._replace(
                    forgotten=state.forgotten & ~(1 << session))

    @staticmethod
    def repair_steps(state):
        """One is enough: a second one finds nothing condemned."""
        record = Record(CHECKPOINT, 0, 0)
        if look(state.log).is_open and record not in state.log:
            yield "a repair's checkpoint", 0, state._replace(log=state.log + (record,))

    def power_cuts(self, state):
        writers = tuple(w if w[0] in ("success", "forgotten") else ("failed",)
                        for w in state.writers)
        collectors = (("idle",),) * len(state.collectors)
        for objects, forgets in itertools.product(subsets(state.loose),
                                                  subsets(state.loose_forgets)):
            if objects or forgets:
                text = "power cut undoes %d forgets and" % forgets.bit_count()
                yield text, objects, state._replace(
                    objects=state.objects & ~objects, forgotten=state.forgotten & ~forgets,
                    writers=writers, collectors=collectors, loose=0, loose_forgets=0)

    def steps(self, state):
        """All steps from a state: (what happens, objects to name, the state that follows)."""
        if "forget" in self.options:
            yield from self.forget_steps(state)
        yield from self.removal_steps(state)
        if "mend" in self.options:
            yield from self.repair_steps(state)
        if "truncate" in self.options:
            yield from self.truncation_steps(state)
        if state.loose or state.loose_forgets:
            yield from self.power_cuts(state)
        for place in range(len(state.writers)):
            yield from self.writer_steps(state, place)
        for place, process in enumerate(state.collectors):
            if process not in state.collectors[:place]:
                yield from self.collector_steps(state, place)


# ---------------------------------------------------------------- the search

Result = collections.namedtuple("Result", "states problem trace")


def trace_to(model, state, before):
    """The steps from the first state to this one."""
    lines = []
    while before[state] is not None:
        previous = before[state]
        text, detail = next((t, d) for t, d, following in model.steps(previous)
                            if following == state)
        lines.append(text + (" " + model.world.show(detail) if detail else ""))
        state = previous
    return lines[::-1]


def search(model):
    """Breadth first, so that what it finds is as short as can be."""
    start = model.first()
    before = {start: None}
    queue = collections.deque([start])
    while queue:
        state = queue.popleft()
        for _, _, following in model.steps(state):
            if following in before:
                continue
            before[following] = state
            problem = model.violation(following)
            if problem:
                return Result(len(before), problem, trace_to(model, following, before))
            queue.append(following)
    return Result(len(before), None, [])


# ---------------------------------------------------------------- what is searched

CONFIGS = [
    Config("base", packs={"P": "A"}, snapshots=("A",), writers=(Writer(wants="A"),) * 2,
           collectors=2, options="forget"),
    Config("twice", packs={"P": "A"}, snapshots=("A",), writers=(Writer(wants="A"),),
           collectors=2, generations=2, options="forget"),
    # Two collections, and a writer in each.
    Config("noted", packs={"P": "A", "Q": "B"}, writers=(Writer(wants="A"),) * 2, generations=2),
    Config("own-pack", writers=(Writer(wants="A"),)),
    # A damaged log is mended while a collection is under way.
    Config("mended", packs={"P": "A"}, snapshots=("A",), writers=(Writer(wants="A"),),
           collectors=2, generations=2, options="forget mend"),
    # A collector that was halted appends where records were removed.
    Config("truncated", packs={"P": "A"}, writers=(Writer(wants="A"),), collectors=2,
           options="checkpoint mend truncate"),
    # One chunk in two packs, and perhaps in those of the writers.
    Config("copies", packs={"P": "A", "Q": "A"}, snapshots=("A",), collectors=2, generations=2),
    Config("copies-writer", packs={"P": "A", "Q": "A"}, snapshots=("A",),
           writers=(Writer(wants="A"),), collectors=2, options="forget"),
    Config("late", packs={"P": "A", "Q": "A"}, snapshots=("A",), writers=(Writer(wants="A"),),
           collectors=2, generations=2, options="forget late packs-first"),
    # C is dead and rests on B, which has a pack of its own.
    Config("delta", packs={"P": "A C1B", "Q": "B"}, snapshots=("A",),
           writers=(Writer(wants="C"),), collectors=2),
    Config("dead-delta", packs={"P": "C1B", "Q": "B"}, writers=(Writer(wants="C"),)),
    Config("new-delta", packs={"Q": "B"}, writers=(Writer(wants="C", deltas=("C1B",)),)),
    Config("two-deltas", packs={"Q": "B"}, writers=(Writer(wants="C", deltas=("C1B",)),) * 2,
           options="forget"),
    # B rests on C, and C on B: only the depths tell that this is no ring.
    Config("ring", packs={"Q": "B", "P": "C1B", "R": "B2C"}, snapshots=("C",),
           writers=(Writer(wants="B"),), options="forget"),
    # A writer that was ended may still put packs. These two are a ring.
    Config("late-ring", packs={"Q": "B C"}, writers=(
        Writer(wants="CB", deltas=("C1B", "B1C")), Writer(wants="C"))),
    Config("repack", packs={"P": "A B"}, snapshots=("A",), writers=(Writer(wants="B"),),
           collectors=2, options="forget", replacements=(("P", "P'", "A"),)),
    Config("repack-delta", packs={"P": "A C1B", "Q": "B D"}, snapshots=("A",),
           writers=(Writer(wants="C"),), replacements=(("P", "P'", "A"), ("Q", "Q'", "B"))),
    Config("undo", packs={"P": "A"}, snapshots=("A",), writers=(Writer("undo", "A"),),
           collectors=2, generations=2, options="forget"),
    Config("inherit", packs={"P": "A"}, snapshots=("A",),
           writers=(Writer("inherit", "A"), Writer("undo", "A")), options="forget"),
    # A checkpoint closes slots, which are then removed, with their forgets and sessions.
    Config("void-slot", packs={"P": "A"},
           writers=(Writer(wants="A"), Writer("inherit", "A")), options="checkpoint"),
    Config("closed-slot", packs={"P": "A"}, snapshots=("A",), writers=(Writer("inherit", "A"),),
           options="checkpoint forget"),
    Config("bundles", packs={"P": "A", "Q": "B"}, bundles={"b": "P Q"}, snapshots=("A",),
           writers=(Writer(wants="B"),), options="bundles forget",
           replacements=(("P b", "b'", "names P"),)),
    Config("two-bundles", packs={"P": "A"}, bundles={"a": "P", "b": "P"}, snapshots=("A",),
           writers=(Writer(wants="A"),), collectors=2, generations=2, options="bundles"),
    # A writer that was ended may still put its bundle.
    Config("late-bundle", packs={"Q": "B"}, bundles={"b": "Q"},
           writers=(Writer(wants="C", deltas=("C1B",)), Writer(wants="C")), options="bundles"),
    Config("power", packs={"P": "A"}, bundles={"b": "P"}, snapshots=("A",),
           writers=(Writer(wants="A"),) * 2, options="bundles forget power"),
    Config("power-repack", packs={"P": "A B"}, snapshots=("A",), collectors=2, options="power",
           replacements=(("P", "P'", "A"),)),
    Config("delta-twice", packs={"P": "A C1B", "Q": "B"}, snapshots=("C",),
           writers=(Writer(wants="C", deltas=("C1B",)),), collectors=2, generations=2,
           options="forget"),
    Config("repack-twice", packs={"P": "A B"}, snapshots=("A",), writers=(Writer(wants="B"),),
           collectors=2, generations=2, options="forget", replacements=(("P", "P'", "A"),)),
]

LONG_CONFIGS = [
    Config("mended-copies", packs={"P": "A", "Q": "A"}, snapshots=("A",),
           writers=(Writer(wants="A"), Writer("undo", "A")), collectors=2, generations=2,
           options="forget mend"),
    Config("base-twice", packs={"P": "A"}, snapshots=("A",), writers=(Writer(wants="A"),) * 2,
           collectors=2, generations=2, options="forget"),
    Config("three-writers", packs={"P": "A"}, snapshots=("A",), writers=(Writer(wants="A"),) * 3,
           collectors=1, options="forget"),
    Config("late-two", packs={"P": "A", "Q": "A"}, snapshots=("A",),
           writers=(Writer(wants="A"),) * 2, collectors=2, options="late packs-first"),
    Config("repack-two", packs={"P": "A B"}, snapshots=("A",), writers=(Writer(wants="AB"),),
           collectors=2, options="forget",
           replacements=(("P", "P'", "A"), ("P", "P2", "A B"))),
    Config("inherit-two", packs={"P": "A"}, snapshots=("A",),
           writers=(Writer("inherit", "A"), Writer("undo", "A")),
           collectors=2, generations=2, options="forget"),
    Config("checkpoint", packs={"P": "A"}, snapshots=("A",),
           writers=(Writer(wants="A"), Writer("inherit", "A")), options="checkpoint forget"),
    Config("bundles-twice", packs={"P": "A", "Q": "B"}, bundles={"b": "P Q"}, snapshots=("A",),
           writers=(Writer(wants="B"),), collectors=2, options="bundles forget",
           replacements=(("P b", "b'", "names P"), ("P Q b", "b2", "names P Q"))),
    Config("power-two", packs={"P": "A B"}, bundles={"b": "P"}, snapshots=("A",),
           writers=(Writer(wants="A"),), collectors=2, options="bundles forget power",
           replacements=(("P", "P'", "A"),)),
]

# A rule switched off -> the smallest configuration in which something is lost then.
MUTANTS = {
    # writers
    "read-log-before-session": "new-delta",
    "parent-before-session": "inherit",
    "reuse-condemned": "new-delta",
    "reuse-swept": "new-delta",
    "reuse-without-base-check": "two-deltas",
    "writer-takes-base-of-any-depth": "late-ring",
    "inherit-condemned": "inherit",
    "undo-without-check": "undo",
    "undo-trusts-a-swept-log": "undo",      # looks up only while the log ends in a condemn record
    "publish-without-barrier": "power",
    "fence-check-then-commit": "repack-delta",
    "success-without-log": "closed-slot",
    "checkpoints-are-ignored": "void-slot",
    "closed-before-slots": "void-slot",     # reads what is closed, and then lists the slots
    # collectors
    "list-sessions-before-condemn": "new-delta",
    "no-wait": "new-delta",
    "stale-wait": "noted",
    "no-relist-snapshots": "new-delta",
    "no-relist-packs": "new-delta",
    "unlogged-sweep": "copies-writer",
    "sweep-at-a-later-number": "mended",
    "removed-numbers-count": "truncated",   # who reads the log takes all records, not from a checkpoint on
    "condemn-both-copies": "copies",
    "count-swept-copies": "copies",
    "base-of-any-depth": "ring",
    "count-packs-without-bundle": "two-bundles",
    "pardon-without-bases": "dead-delta",
    "sweep-bundles-as-condemned": "bundles",
    "sweep-without-barrier": "power",
    "close-empty-slots": "void-slot",
}

# Rules that others cover: nothing is lost without the one, nor without the others, but without all. Where
# no others are named, none were found: nothing is lost.
COVERED = {
    # The sweep list is computed anew from what is there then.
    "condemn-at-a-later-number": ("copies", ["no-relist-snapshots"]),
    # Its session is waited for, or fenced, and then snapshots are listed again.
    "condemn-open-sessions-pack": ("own-pack", ["no-relist-snapshots"]),
    # No writer uses a delta again whose bases may go.
    "drop-bases-of-dead-blocks": ("delta", ["reuse-without-base-check"]),
    # The barrier before the sweep record makes replacements durable, too.
    "repack-before-durable": ("power-repack", ["sweep-without-barrier"]),
    # What lost its forget is closed, and that is looked at last.
    "forgets-after-slots": ("closed-slot", ["closed-before-slots"]),
    # What is published between the two listings is seen when they are repeated.
    "snapshots-before-packs": ("copies-writer", []),
    # Removed is what the log says, as it is read from its last checkpoint on.
    "trust-any-append": ("truncated", []),
    # The log tells what may be gone; the census is for stores that lose objects.
    "no-census": ("copies-writer", []),
}


# ---------------------------------------------------------------- the command line

def named(name):
    return next(config for config in CONFIGS + LONG_CONFIGS if config.name == name)


def say(is_right, text, result=None):
    """Prints the verdict on a search, and how it ended if that is given; returns the verdict."""
    print(text if is_right else "FAILED: " + text)
    if result and result.problem:
        print("  %s:" % result.problem)
        for line in result.trace:
            print("    " + line)
    sys.stdout.flush()
    return is_right


def run_safe(config, without=()):
    """Nothing may be lost; if it is, how is told in any case."""
    result = search(Model(config, without))
    if result.problem is None:
        return say(True, "safe %s states=%d" % (config.name, result.states))
    return say(False, "%s loses after %d steps" % (config.name, len(result.trace)), result)


def run_mutant(mutant, show):
    """Something must be lost."""
    name = MUTANTS[mutant]
    result = search(Model(named(name), [mutant]))
    if result.problem is None:
        return say(False, "%s survives in %s" % (mutant, name))
    text = "killed %s in %s after %d steps" % (mutant, name, len(result.trace))
    return say(True, text, result if show else None)


def run_covered(mutant, show):
    """Nothing may be lost, unless the rules that cover this one are off as well."""
    name, others = COVERED[mutant]
    config = named(name)
    if search(Model(config, [mutant])).problem:
        return say(False, "%s is not covered in %s" % (mutant, name))
    if not others:
        return say(True, "covered %s in %s" % (mutant, name))
    result = search(Model(config, [mutant] + others))
    is_right = result.problem is not None and search(Model(config, others)).problem is None
    text = "killed %s in %s after %d steps, together with %s" % (
        mutant, name, len(result.trace), ", ".join(others))
    return say(is_right, text, result if show else None)


def run_covered_everywhere(mutant):
    """What is said to be covered is so in all of the smaller configurations."""
    lossy = [config.name for config in CONFIGS if search(Model(config, [mutant])).problem]
    return say(not lossy, " ".join(["covered", mutant, "everywhere"] + lossy))


def run(options):
    """Does what was asked for; yields a verdict for each search."""
    if options.config:
        yield run_safe(named(options.config), options.mutant or ())
        return
    if not options.mutant:
        for config in CONFIGS + (LONG_CONFIGS if options.long else []):
            yield run_safe(config)
    for mutant in options.mutant or [*MUTANTS, *COVERED]:
        yield (run_mutant if mutant in MUTANTS else run_covered)(mutant, options.trace)
    if options.long and not options.mutant:
        yield from map(run_covered_everywhere, COVERED)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--long", action="store_true", help="larger configurations, too",
                        default=os.environ.get("COFFRE_PROOF_LONG") == "1")
    parser.add_argument("--config", metavar="NAME", help="only this one",
                        choices=[config.name for config in CONFIGS + LONG_CONFIGS])
    parser.add_argument("--mutant", metavar="NAME", action="append", help="without this rule",
                        choices=[*MUTANTS, *COVERED])
    parser.add_argument("--trace", action="store_true", help="how something is lost")
    verdicts = list(run(parser.parse_args()))
    print("%d passed, %d failed" % (sum(verdicts), len(verdicts) - sum(verdicts)))
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
