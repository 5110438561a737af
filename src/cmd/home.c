#include "cmd/home.h"

#include <jansson.h>

#include "cmd/file.h"

enum { CONFIG_MAX = 65536 };

int home_path(struct arena *arena, const char *name, const char **ret_path)
{
	const char *folder = getenv("KAISAR_HOME"), *path;
	int r;

	if (!folder || !*folder) {
		const char *home = getenv("HOME");

		if (!home || !*home)
			return -ENOENT;
		folder = arena_printf(arena, "%s/.kaisar", home);
	}
	path = folder ? arena_printf(arena, "%s/%s", folder, name) : NULL;
	if (!path)
		return -ENOMEM;
	r = file_make_dirs(folder, 0700);
	if (r < 0)
		return r;
	*ret_path = path;
	return 0;
}

/* An empty object where there is no file yet. The caller gives it back. */
static int config_read(struct arena *arena, json_t **ret_config)
{
	const char *path;
	json_t *config;
	size_t len;
	char *text;
	int r;

	r = home_path(arena, "config.json", &path);
	if (r < 0)
		return r;
	r = file_read(path, CONFIG_MAX, arena, &text, &len);
	if (r < 0 && r != -ENOENT)
		return r;
	config = r < 0 ? json_object() : json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(config)) {
		json_decref(config);
		return -EBADMSG;
	}
	*ret_config = config;
	return 0;
}

int home_config_get(struct arena *arena, const char *name, const char **ret_value)
{
	const char *value;
	json_t *config;
	int r;

	r = config_read(arena, &config);
	if (r < 0)
		return r;
	value = json_string_value(json_object_get(config, name));
	if (value)
		value = arena_text(arena, value, strlen(value));
	else
		r = json_object_get(config, name) ? -EBADMSG : HOME_E_ABSENT;
	json_decref(config);
	if (r == 0 && !value)
		r = -ENOMEM;
	if (r == 0)
		*ret_value = value;
	return r;
}

int home_config_set(struct arena *arena, const char *name, const char *value)
{
	const char *path;
	json_t *config;
	char *text;
	int r;

	r = config_read(arena, &config);
	if (r < 0)
		return r;
	if (json_object_set_new(config, name, json_string(value)) < 0)
		r = -EINVAL;
	text = json_dumps(config, JSON_INDENT(2) | JSON_SORT_KEYS);
	json_decref(config);
	if (r == 0)
		r = text ? home_path(arena, "config.json", &path) : -ENOMEM;
	if (r == 0)
		r = file_write(path, text, strlen(text), 0600);
	free(text);
	return r;
}
