#!/usr/bin/env bash
# Switches on one fault of the program after the other, and expects the tests to notice each.
#
#   tests/mutants.sh [BUILD_FOLDER]     a build with -DCOFFRE_MUTANTS=ON (build/asan)
#
# A line of the table: the fault (as in mutant("...") in the sources), the program, the tests that notice.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=${1:-build/asan}/tests

table() {
    cat <<'TABLE'
accept-rollback         tests  Protocol.ARepositoryThatWentBackInTimeIsRefused
any-chunk               tests  Restore.LeavesNoFileOfWrongBytesBehind
any-index-value         tests  Index.DoesNotTrustWhatAnotherSeedWrote
any-name                tests  KeyRing.AnObjectOpensUnderItsNameOnly
any-node-name           tests  Node.NamesAreAnyBytesButSlashAndNul
any-repository          tests  KeyRing.AnObjectOpensInItsRepositoryOnly
any-signature           tests  KeyRing.AnObjectThatIsOnlySealedIsNotSigned
copy-on-collected       tests  *Copy.DoesNotRestOn*
count-on-condemned      tests  *Repair.CountsOnNothing*
delete-what-is-damaged  tests  Restore.DeletesNothingWhereTheSnapshotCannotBeRead
ended-repair            tests  *Repair.SetsNothingAsideOnceItWasEnded*
follow-links            tests  *TargetTest.FollowsNoLink*
ignore-failed-stream    tests  SnapshotStreams.OneThatFailsLeavesNoSnapshot
ignore-failed-sync      proof  FailingSync.*
ignore-fence            tests  Protocol.ASessionThatWasFenced*:*Prune.EndsASilentSession*
index-before-durable    proof  *PowerCut.TheIndexKnows*
inherit-condemned       tests  ProtocolLoses.DataThatIsStoredAgainAlthoughTheFilesAreUnchanged
keep-one-checkpoint     tests  *DamagedLog.IsRebuilt*
list-error-is-empty     tests  LocalStore.AFolderThatCannotBeListedIsAnError
log-before-session      tests  Protocol.CommitsInOrder
lost-in-quarantine      tests  *Repair.LooksAgainAt*
lost-is-unneeded        tests  *PruneRefuses.WhileASnapshotIsMissing*
missing-is-unneeded     tests  *PruneRefuses.WhenAnyPack*
no-barrier              tests  Protocol.CommitsInOrder
no-barrier-after-key    proof  *PowerCutKeys*
no-census               tests  Protocol*
no-ctime                tests  IsUnchanged.*
no-read-back            tests  Protocol.CommitsInOrder
no-relist               tests  *Prune.WaitsFor*
no-salvage              tests  *Repair.NamesExactly*
no-wait                 tests  *Prune.WaitsFor*
old-key-first           proof  *KillEverywhere.InAKeyChange*
other-slots-first       tests  TwoInits.AtOnceMakeOneRepository
overtaken-merge         tests  BundleMerge.BringsNoRowBack*
rely-on-unsynced-key    proof  *PowerCutTwoKeys*TheOtherKeyGoes
remember-unsynced-key   proof  *PowerCutTwoKeys*ANewSecretIsSeen
remove-last-key         tests  Keys.TheLastOneStays
renumbered-marks        tests  PruneBesideRepair.*
repair-unannounced      tests  *Repair.LetsACollectionWait*
reuse-condemned         tests  Protocol.ReusesNothingThatIsCondemned
sessions-before-condemn tests  *Prune.WaitsForAWriterThatReadTheLogJustBefore*
set-ids-for-all         tests  *HostileTree*
stale-wait              tests  *Prune.WaitsAnew*
trust-fresh-times       tests  Snapshot.ReadsAFileAgainThatIsYoungerThanTheParent
unbounded               tests  *HostileContents*Shape*
undo-unchecked          tests  *Prune.A*Snapshot*Back*
unended-session         tests  *Repair.EndsASession*
unlogged-sweep          tests  *Prune.LeavesNoTrace*
unread-copies           tests  *Repair.A*ReadsTheCopy*
unreadable-is-unneeded  tests  *PruneRefuses.WhenASlot*
untold-publication      tests  *PruneRefuses.WhileTheNewest*
write-to-exchanged      tests  *GoesToNoOtherFileOfTheName*
TABLE
}

# Those of the protocol are also met by crowds (tests/proof/crowd.cc): the fault, and the crowds of which one notices
# it. Another order of calls or draws makes other crowds of the same numbers: then look again, from 0 on, with
#
#   COFFRE_MUTANT=no-wait COFFRE_PROOF_CROWDS=0-9999 coffre_proof --gtest_filter=*LoseNothing/0
#
# Not here, as no interleaving over a store that keeps what it has can show them: no-barrier and no-read-back; no-census
# and missing-is-unneeded, since what is missing has been collected, and then the log has grown, or the session was
# ended, which is noticed first; unreadable-is-unneeded and lost-is-unneeded; count-on-condemned, since only damage makes a repair count.
# inherit-condemned is met by one crowd in thousands, if any; so is copy-on-collected, as a copy begins anew when the
# trees of the earlier one are gone, too.
crowds() {
    cat <<'TABLE'
ignore-fence            60-69
log-before-session      40-49
no-relist               0-9
no-wait                 0-9
repair-unannounced      2050-2059
reuse-condemned         40-49
sessions-before-condemn 40-49
stale-wait              270-279
undo-unchecked          110-119
unlogged-sweep          0-9
TABLE
}

sources() {
    grep -rhoP 'mutant\("\K[^"]+' engine format cli | sort -u
}

# notices FAULT PROGRAM FILTER [CROWDS]: true when the tests fail with the fault: a crash or a timeout is no way to
# notice.
notices() {
    env COFFRE_MUTANT="$1" ${4:+COFFRE_PROOF_CROWDS="$4"} \
        timeout 120 "$build/coffre_$2" --gtest_brief=1 --gtest_fail_fast --gtest_filter="$3" >/dev/null 2>&1
    [ $? = 1 ]
}

# The same, of a line of a table.
try() {
    local fault program filter crowds
    read -r fault program filter crowds <<<"$1"
    if notices "$fault" "$program" "$filter" "$crowds"; then
        echo "check passed: $fault is noticed${crowds:+ by crowds $crowds}"
    else
        echo "check failed: $fault is not noticed by $program $filter${crowds:+, crowds $crowds}"
    fi
}

diff <(table | awk '{ print $1 }') <(sources) || {
    echo "the table and the sources name different faults" >&2
    exit 1
}
export build
export -f notices try
lines=$(table && crowds | sed 's/ \+/ proof *LoseNothing\/0 /')
verdicts=$(xargs -d '\n' -P "$(nproc)" -I{} bash -c "try '{}'" <<<"$lines")
printf '%s\n' "$verdicts"
all=$(wc -l <<<"$lines") noticed=$(grep -c '^check passed: ' <<<"$verdicts")
echo "mutants: $noticed of $all noticed"
[ "$noticed" = "$all" ]
