/* popw_probes.h - how the test containers on somebody's machines fared, beside the machines. */
#pragma once

#include "cmd/cli.h"

/* A table of each machine's last probe, an empty line before it; nothing where there was none. Asks for the
 * first 32 machines. 0 or an exit status. */
_must_check_ int popw_show_last_probes(struct cli *cli, const json_t *workers);
