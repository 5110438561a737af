/* vpn_folder.h - the files of one machine's VPN, as nebula reads them, each replaced whole, in the folder
 * "vpn" of its state: node.key (0600, never leaves), node.crt, ca.crt, nebula.yml; and status, which
 * `kaisar vpn status` shows. */
#pragma once

#include "base/arena.h"
#include "security/nebula.h"

struct vpn_folder {
	int dir, lock;
	char path[3072]; /* absolute, without links */
};

/* Makes it where it is not, and takes it. -EBUSY: another process holds it; -ENAMETOOLONG. */
_must_check_ int vpn_folder_open(const char *state, struct vpn_folder *ret_folder);
/* Only to read, beside the process that holds it. -ENOENT. @ret_kept: there is such a process. */
_must_check_ int vpn_folder_look(const char *state, struct vpn_folder *ret_folder, bool *ret_kept);
void vpn_folder_close(struct vpn_folder *folder);

_must_check_ int vpn_folder_write(const struct vpn_folder *folder, const char *name,
				  const char *text, unsigned int mode);
/* -ENOENT; -EFBIG: longer than @max. */
_must_check_ int vpn_folder_read(const struct vpn_folder *folder, const char *name, size_t max,
				 struct arena *arena, char **ret_text);
/* What is not there is fine. */
_must_check_ int vpn_folder_remove(const struct vpn_folder *folder, const char *name);

/* The public half of the key that is there, or of a new one. -EBADMSG: it is damaged. */
_must_check_ int vpn_folder_key(const struct vpn_folder *folder, struct arena *arena,
				uint8_t ret_public[static NEBULA_KEY_SIZE]);
