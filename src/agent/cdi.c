#include "agent/cdi.h"

#include <dirent.h>

#include "base/log.h"

struct cdi {
	json_t *specs; /* array of whole files */
};

static int load_file(struct cdi *cdi, const char *path)
{
	_cleanup_(freep) char *text = malloc(CDI_FILE_MAX);
	json_error_t error;
	json_t *spec;
	size_t len;
	FILE *file;

	if (!text)
		return -ENOMEM;
	file = fopen(path, "re");
	if (!file)
		return 0;
	len = fread(text, 1, CDI_FILE_MAX, file);
	fclose(file);
	spec = len < CDI_FILE_MAX ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &error) : NULL;
	if (!json_is_string(json_object_get(spec, "kind")) ||
	    !json_is_array(json_object_get(spec, "devices"))) {
		json_decref(spec);
		log_warn("cdi.bad_file", log_text("path", path));
		return 0;
	}
	return json_array_append_new(cdi->specs, spec) < 0 ? -ENOMEM : 0;
}

static int load_folder(struct cdi *cdi, const char *folder)
{
	struct dirent *entry;
	char path[512];
	DIR *dir;
	int r = 0;

	dir = opendir(folder);
	if (!dir)
		return 0;
	while (r == 0 && (entry = readdir(dir)) && json_array_size(cdi->specs) < CDI_FILES_MAX) {
		const char *dot = strrchr(entry->d_name, '.');

		if (!dot || strcmp(dot, ".json") != 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) <
		    (int)sizeof(path))
			r = load_file(cdi, path);
	}
	closedir(dir);
	return r;
}

int cdi_load(const char *const *folders, struct cdi **ret_cdi)
{
	struct cdi *cdi = malloc(sizeof(*cdi));
	int r = 0;

	if (!cdi)
		return -ENOMEM;
	cdi->specs = json_array();
	if (!cdi->specs)
		r = -ENOMEM;
	for (; r == 0 && *folders; folders++)
		r = load_folder(cdi, *folders);
	if (r < 0) {
		cdi_free(cdi);
		return r;
	}
	*ret_cdi = cdi;
	return 0;
}

void cdi_free(struct cdi *cdi)
{
	if (!cdi)
		return;
	json_decref(cdi->specs);
	free(cdi);
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool has_equal(const json_t *array, const json_t *value)
{
	const json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
		if (json_equal(item, value))
			return true;
	return false;
}

/* Steals @value. */
static int add_once(json_t *parent, const char *name, json_t *value)
{
	json_t *array = json_object_get(parent, name);

	if (!value)
		return -ENOMEM;
	if (!json_is_array(array)) {
		array = json_array();
		if (json_object_set_new(parent, name, array) < 0) {
			json_decref(value);
			return -ENOMEM;
		}
	}
	if (has_equal(array, value)) {
		json_decref(value);
		return 0;
	}
	return json_array_append_new(array, value) < 0 ? -ENOMEM : 0;
}

static int add_node(json_t *host, const json_t *node)
{
	const char *path = text_of(node, "path"), *on_host = text_of(node, "hostPath");
	const char *permissions = text_of(node, "permissions");

	if (!path)
		return 0;
	return add_once(host, "Devices",
			json_pack("{s:s, s:s, s:s}", "PathOnHost", on_host ? on_host : path,
				  "PathInContainer", path, "CgroupPermissions",
				  permissions ? permissions : "rwm"));
}

static int add_mount(json_t *host, const json_t *mount)
{
	const char *from = text_of(mount, "hostPath"), *to = text_of(mount, "containerPath");
	bool writable = false;
	const json_t *option;
	size_t i;

	if (!from || !to)
		return 0;
	json_array_foreach(json_object_get(mount, "options"), i, option)
		if (json_is_string(option) && strcmp(json_string_value(option), "rw") == 0)
			writable = true;
	return add_once(host, "Mounts",
			json_pack("{s:s, s:s, s:s, s:b}", "Type", "bind", "Source", from, "Target",
				  to, "ReadOnly", !writable));
}

static int add_edits(json_t *body, const json_t *edits)
{
	json_t *host = json_object_get(body, "HostConfig");
	const json_t *item;
	size_t i;
	int r = 0;

	if (!host) {
		host = json_object();
		if (json_object_set_new(body, "HostConfig", host) < 0)
			return -ENOMEM;
	}
	json_array_foreach(json_object_get(edits, "deviceNodes"), i, item)
		if (r == 0)
			r = add_node(host, item);
	json_array_foreach(json_object_get(edits, "mounts"), i, item)
		if (r == 0)
			r = add_mount(host, item);
	json_array_foreach(json_object_get(edits, "env"), i, item)
		if (r == 0 && json_is_string(item))
			r = add_once(body, "Env", json_copy((json_t *)item));
	return r;
}

static const json_t *find_device(const json_t *spec, const char *name)
{
	const json_t *device;
	size_t i;

	json_array_foreach(json_object_get(spec, "devices"), i, device) {
		const char *called = text_of(device, "name");

		if (called && strcmp(called, name) == 0)
			return device;
	}
	return NULL;
}

static int apply_named(const struct cdi *cdi, const char *name, json_t *body)
{
	const json_t *spec;
	size_t i;
	int r;

	json_array_foreach(cdi->specs, i, spec) {
		const json_t *device = find_device(spec, name);

		/* Numbers mean GPUs only in the specification of GPUs. */
		if (!device || !strstr(text_of(spec, "kind"), "/gpu"))
			continue;
		r = add_edits(body, json_object_get(spec, "containerEdits"));
		if (r == 0)
			r = add_edits(body, json_object_get(device, "containerEdits"));
		return r;
	}
	return CDI_E_MISSING;
}

int cdi_apply(const struct cdi *cdi, const char *uuid, unsigned int index, json_t *body)
{
	char number[16];
	int r;

	r = apply_named(cdi, uuid, body);
	if (r != CDI_E_MISSING)
		return r;
	snprintf(number, sizeof(number), "%u", index);
	return apply_named(cdi, number, body);
}
