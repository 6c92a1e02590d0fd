// Differences between the DPDK and IPsec-MB releases we build against (Debian 12: 22.11 and 1.3,
// Debian 13: 24.11 and 2.0), all of them here.
#pragma once

#include <rte_version.h>
