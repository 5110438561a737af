/* node.h - what the commands of workers and checkers have to say of the folders that both keep. */
#pragma once

#include "link/state.h"

/* Whether the folder is one of @node's, or of nobody's yet. 0, or an exit status: it is the other's. */
_must_check_ int node_check_folder(struct state *state, const char *folder, enum state_node node);

/* The control plane will not have the node of this folder: an exit status. */
int node_refused(const char *folder, const char *reason);
