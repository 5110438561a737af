#include "cmd/wallet.h"

#include <unistd.h>

#include "base/codec.h"
#include "cmd/file.h"
#include "cmd/password.h"
#include "security/keystore.h"

enum { EXIT_NOT_FOUND = 3, EXIT_DENIED = 7 };

int wallet_current(struct arena *arena, struct address *ret_address)
{
	const char *text;
	int r;

	r = home_config_get(arena, "wallet", &text);
	if (r != 0)
		return r == HOME_E_ABSENT ? WALLET_E_NONE : r;
	return address_parse(text, ret_address) < 0 ? -EBADMSG : 0;
}

static int set_current(struct arena *arena, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	address_text(address, text);
	return home_config_set(arena, "wallet", text);
}

int wallet_path(struct arena *arena, const struct address *address, const char **ret_path)
{
	const char *folder;
	char digits[41];
	int r;

	r = home_path(arena, "keystore", &folder);
	if (r < 0)
		return r;
	r = file_make_dirs(folder, 0700);
	if (r < 0)
		return r;
	/* Lower case: the same file whatever a file system thinks of capitals. */
	hex_encode(address->bytes, sizeof(address->bytes), digits);
	*ret_path = arena_printf(arena, "%s/0x%s.json", folder, digits);
	return *ret_path ? 0 : -ENOMEM;
}

int wallet_use(struct arena *arena, const struct address *address)
{
	const char *path;
	int r;

	r = wallet_path(arena, address, &path);
	if (r < 0)
		return r;
	if (access(path, F_OK) < 0)
		return errno == ENOENT ? WALLET_E_NONE : -errno;
	return set_current(arena, address);
}

int wallet_read(struct arena *arena, const struct address *address, const char **ret_json,
		size_t *ret_len)
{
	const char *path;
	char *json;
	int r;

	r = wallet_path(arena, address, &path);
	if (r == 0)
		r = file_read(path, KEYSTORE_JSON_MAX, arena, &json, ret_len);
	if (r == -ENOENT)
		return WALLET_E_NONE;
	if (r == 0)
		*ret_json = json;
	return r;
}

int wallet_add(struct arena *arena, const struct address *address, const char *json, size_t len)
{
	const char *path;
	int r;

	r = wallet_path(arena, address, &path);
	if (r < 0)
		return r;
	if (access(path, F_OK) == 0)
		return -EEXIST;
	r = file_write(path, json, len, 0600);
	if (r < 0)
		return r;
	return set_current(arena, address);
}

/* ---- opening, with words for people ---- */

static int explain_missing(const struct address *address, int r)
{
	char text[ADDRESS_TEXT_SIZE];

	if (r < 0) {
		fprintf(stderr, "kaisar: the wallet cannot be read: %s\n",
			r == -EBADMSG ? "config.json is not as kaisar writes it: mend or remove it"
				      : strerror(-r));
		return EXIT_FAILURE;
	}
	if (address) {
		address_text(address, text);
		fprintf(stderr, "kaisar: there is no wallet %s here\n", text);
	} else {
		fputs("kaisar: there is no wallet yet: make one with `kaisar wallet create`\n",
		      stderr);
	}
	return EXIT_NOT_FOUND;
}

static int explain_locked(int r, const char *detail)
{
	if (r < 0)
		detail = strerror(-r);
	fprintf(stderr, "kaisar: the wallet cannot be opened: %s\n", detail);
	return r == KEYSTORE_E_PASSWORD ? EXIT_DENIED : EXIT_FAILURE;
}

static int find(const struct address *address, struct arena *arena, const char **ret_json,
		size_t *ret_len)
{
	struct address current;
	int r;

	if (address)
		return wallet_read(arena, address, ret_json, ret_len);
	r = wallet_current(arena, &current);
	return r != 0 ? r : wallet_read(arena, &current, ret_json, ret_len);
}

int wallet_open(const struct address *address, const char *password_file, struct arena *arena,
		struct secp_key **ret_key, int *ret_exit)
{
	_cleanup_(password_wipe) struct password password;
	const char *json, *detail;
	size_t len;
	int r;

	r = find(address, arena, &json, &len);
	if (r != 0) {
		*ret_exit = explain_missing(address, r);
		return WALLET_E_DONE;
	}
	r = password_read(password_file, false, &password);
	if (r < 0) {
		password_explain(password_file, r);
		*ret_exit = EXIT_FAILURE;
		return WALLET_E_DONE;
	}
	r = keystore_decrypt(json, len, password.text, ret_key, &detail);
	if (r != 0) {
		*ret_exit = explain_locked(r, detail);
		return WALLET_E_DONE;
	}
	return 0;
}
