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
follow-links            tests  *TargetTest.FollowsNoLink*
ignore-failed-stream    tests  SnapshotStreams.OneThatFailsLeavesNoSnapshot
ignore-failed-sync      proof  FailingSync.*
ignore-fence            tests  Protocol.ASessionThatWasFenced*:*Prune.EndsASilentSession*
index-before-durable    proof  *PowerCut.TheIndexKnows*
inherit-condemned       tests  ProtocolLoses.DataThatIsStoredAgainAlthoughTheFilesAreUnchanged
list-error-is-empty     tests  LocalStore.AFolderThatCannotBeListedIsAnError
log-before-session      tests  Protocol.CommitsInOrder
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
rely-on-unsynced-key    proof  *PowerCutTwoKeys*TheOtherKeyGoes
remember-unsynced-key   proof  *PowerCutTwoKeys*ANewSecretIsSeen
remove-last-key         tests  Keys.TheLastOneStays
repair-unannounced      tests  *Repair.LetsACollectionWait*
reuse-condemned         tests  Protocol.ReusesNothingThatIsCondemned
sessions-before-condemn tests  *Prune.WaitsForAWriterThatReadTheLogJustBefore*
set-ids-for-all         tests  *HostileTree*
stale-wait              tests  *Prune.WaitsAnew*
trust-fresh-times       tests  Snapshot.ReadsAFileAgainThatIsYoungerThanTheParent
unbounded               tests  *HostileContents*Shape*
undo-unchecked          tests  *Prune.A*Snapshot*Back*
unlogged-sweep          tests  *Prune.LeavesNoTrace*
unreadable-is-unneeded  tests  *PruneRefuses.WhenASlot*
write-to-exchanged      tests  *WritesToNoOtherFileOfTheName*
TABLE
}

sources() {
    grep -rhoP 'mutant\("\K[^"]+' engine format cli | sort -u
}

# True when the tests fail with the fault: a crash or a timeout is no way to notice.
notices() {
    COFFRE_MUTANT=$1 timeout 120 "$build/coffre_$2" --gtest_brief=1 --gtest_fail_fast \
        --gtest_filter="$3" >/dev/null 2>&1
    [ $? = 1 ]
}

diff <(table | awk '{ print $1 }') <(sources) || {
    echo "the table and the sources name different faults" >&2
    exit 1
}
noticed=0 missed=0
while read -r fault program filter; do
    if notices "$fault" "$program" "$filter"; then
        echo "check passed: $fault is noticed"
        noticed=$((noticed + 1))
    else
        echo "check failed: $fault is not noticed by coffre_$program, $filter"
        missed=$((missed + 1))
    fi
done < <(table)
echo "mutants: $noticed noticed, $missed not"
[ $missed = 0 ]
