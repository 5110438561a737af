#include "cmd/order.h"

#include "base/amount.h"
#include "cmd/client.h"

/* Sets @name in @body unless @value (taken over) is missing. */
static int set(json_t *body, const char *name, json_t *value)
{
	if (!value || json_object_set_new(body, name, value) < 0)
		return cli_fault(-ENOMEM, "run");
	return 0;
}

static int set_text(const struct options *options, const char *option, json_t *body,
		    const char *name)
{
	const char *text = options_get(options, option, NULL);

	return text ? set(body, name, json_string(text)) : 0;
}

static int set_number(const struct options *options, const char *option, json_t *body,
		      const char *name)
{
	int64_t number;

	if (!options_has(options, option))
		return 0;
	if (options_int(options, option, 0, INT64_MAX, 0, &number) != 0)
		return CLI_USAGE;
	return set(body, name, json_integer(number));
}

/* "0.5" is 500 thousandths; more than three places are refused, not cut off. */
static int set_cpus(const struct options *options, json_t *body)
{
	const char *text = options_get(options, "cpus", NULL);
	struct amount cores;

	if (!text)
		return 0;
	if (amount_parse(text, &cores) < 0 || cores.micro <= 0 || cores.micro % 1000 != 0)
		return options_refuse(options->table,
				      "--cpus must be a number like 0.5 or 2, not '%s'", text);
	return set(body, "cpu_milli", json_integer(cores.micro / 1000));
}

/* Everything behind the first '=' is the value. */
static int add_variable(const struct options *options, json_t *env, const char *text)
{
	const char *equals = strchr(text, '='), *value;
	char name[256];
	size_t len = equals ? (size_t)(equals - text) : strlen(text);

	if (len == 0 || len >= sizeof(name))
		return options_refuse(options->table, "--env must be NAME=VALUE, not '%s'", text);
	memcpy(name, text, len);
	name[len] = 0;
	value = equals ? equals + 1 : getenv(name);
	if (!value)
		return options_refuse(options->table, "--env %s: there is no such variable here",
				      name);
	return set(env, name, json_string(value));
}

static int set_env(const struct options *options, json_t *body)
{
	json_t *env;
	int r = 0;

	if (!options_has(options, "env"))
		return 0;
	env = json_object();
	if (!env || json_object_set_new(body, "env", env) < 0)
		return cli_fault(-ENOMEM, "run");
	for (size_t i = 0; r == 0 && options_nth(options, "env", i); i++)
		r = add_variable(options, env, options_nth(options, "env", i));
	return r;
}

static int add_port(const struct options *options, json_t *ports, const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (strchr(text, ':'))
		return options_refuse(options->table,
				      "--publish %s: give the container's port alone; the machine "
				      "chooses its own",
				      text);
	if (end == text || *end || port < 1 || port > 65535)
		return options_refuse(options->table, "--publish must be 1 to 65535, not '%s'",
				      text);
	return json_array_append_new(ports, json_integer(port)) < 0 ? cli_fault(-ENOMEM, "run") : 0;
}

static int set_ports(const struct options *options, json_t *body)
{
	json_t *ports;
	int r = 0;

	if (!options_has(options, "publish"))
		return 0;
	ports = json_array();
	if (!ports || json_object_set_new(body, "ports", ports) < 0)
		return cli_fault(-ENOMEM, "run");
	for (size_t i = 0; r == 0 && options_nth(options, "publish", i); i++)
		r = add_port(options, ports, options_nth(options, "publish", i));
	return r;
}

static int set_words(const struct options *options, json_t *body)
{
	json_t *command;
	int r;

	if (options->n_words == 0 && !options_has(options, "template"))
		return options_refuse(options->table, "which image?");
	if (options->n_words == 0)
		return 0;
	r = set(body, "image", json_string(options->words[0]));
	if (r != 0 || options->n_words == 1)
		return r;
	command = json_array();
	for (size_t i = 1; command && i < options->n_words; i++)
		if (json_array_append_new(command, json_string(options->words[i])) < 0)
			return options_refuse(options->table, "the command is not UTF-8");
	return set(body, "command", command);
}

int order_body(const struct options *options, json_t **ret_body)
{
	static const struct {
		const char *option, *name;
		int (*set)(const struct options *options, const char *option, json_t *body,
			   const char *name);
	} rows[] = {
		{ "name", "name", set_text },
		{ "template", "template", set_text },
		{ "gpus", "gpus", set_number },
		{ "gpu", "gpu_model", set_text },
		{ "memory", "memory", set_text },
		{ "disk", "disk", set_text },
		{ "shm-size", "shm", set_text },
		{ "pids-limit", "pids", set_number },
		{ "max-price", "max_rate_hour", set_text },
		{ "machine", "machine", set_text },
		{ "stop-timeout", "stop_timeout_s", set_number },
		{ "term", "term_s", set_number },
	};
	_cleanup_(json_decrefp) json_t *body = json_object();
	int r = body ? 0 : cli_fault(-ENOMEM, "run");

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		r = rows[i].set(options, rows[i].option, body, rows[i].name);
	if (r == 0)
		r = set_cpus(options, body);
	if (r == 0)
		r = set_env(options, body);
	if (r == 0)
		r = set_ports(options, body);
	if (r == 0)
		r = set_words(options, body);
	if (r != 0)
		return r;
	*ret_body = body;
	body = NULL;
	return 0;
}
