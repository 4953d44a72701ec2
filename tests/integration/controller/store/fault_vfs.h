// An SQLite file layer that passes everything on to the real one and can do what disks do: fail a
// sync, or lose what was not synced when the power goes. https://www.sqlite.org/vfs.html
#pragma once

#include <string>

namespace cluster::store {

// Registers the layer once; its name is what SqliteOptions.vfs takes.
const char* RegisterFaultVfs();

// From now on every sync fails with an I/O error.
void FailSyncs(bool fail);

// Forgets all files; call before a store is opened over a new directory.
void ForgetFiles();

// What a power cut would leave now: each file of `from` as it was last synced, plus any part of the
// writes since (each one kept, lost or torn, by `seed`). Written to the directory `to`.
void CutPower(const std::string& from, const std::string& to, unsigned seed);

}  // namespace cluster::store
