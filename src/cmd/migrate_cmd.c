#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "io/migrate.h"

static const struct option_row rows[] = {
	{ "db", 0, "URL", "sqlite:PATH or postgres://..." },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar migrate --db URL",
	.about = "Brings the store's tables up to this program's version. `kaisar server` does it, "
		 "too.",
	.rows = rows,
};

int cmd_migrate(int argc, char **argv)
{
	struct options options;
	int r, status, applied;
	struct db *db;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	if (!options_has(&options, "db"))
		return options_refuse(&table, "which store? --db URL");
	r = db_open(options_get(&options, "db", NULL), 1, &db);
	if (r == 0) {
		r = migrate(db, migrations, &applied);
		db_close(db);
	}
	if (r < 0) {
		log_error("migrate.failed", log_fault(r));
		return 1;
	}
	printf("applied %d migrations\n", applied);
	return 0;
}
