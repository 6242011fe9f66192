// Looks at every page of an LMDB file that its tables reach, before the first write.
//
// LMDB trusts the pages that it changes: offsets that do not fit would have it write beside them.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace coffre {

// True when all pages that the newest meta page of the open file reaches are whole: each met once,
// with its own number, of the right kind, its entries within it. Values are not looked at. Reads,
// and maps nothing: mapped pages would count as this process's memory a second time. Source: LMDB
// 0.9, mdb.c, "MDB_page", "MDB_node", "MDB_db", "MDB_meta" on a 64-bit machine.
bool pages_are_whole(int file);

}  // namespace coffre
