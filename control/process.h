// What the process asks of the kernel at its start: no core dump and no debugger may see its keys, and
// signals come by a descriptor.
#pragma once

namespace causeway::control {

// Before any key is read, and before threads begin: they inherit the signal mask.
void harden_process();

// Readable once SIGTERM or SIGINT came; -1 where the kernel refuses.
int shutdown_signal_fd();
void take_signal(int fd);  // so that it is no longer readable

}  // namespace causeway::control
