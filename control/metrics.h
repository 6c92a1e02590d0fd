// What Prometheus is told: the answers of the admin socket's `status` and `counters` as metric families.
// Counters of an SA carry its SPI as a label, since they begin at nothing with each rekey: rates are summed over
// it, `sum by (tunnel) (rate(causeway_sa_bytes_total[5m]))`, and no series ever falls.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "control/admin_backend.h"

namespace causeway::control {

std::vector<prometheus::MetricFamily> metric_families(const std::vector<TunnelReport>& tunnels,
                                                      const CountersReport& counters);

}  // namespace causeway::control
