#include "modules/service/template.h"

#include "base/log.h"
#include "modules/service/service.h"
#include "modules/service/service_store.h"

int template_order(struct tx *tx, const char *name, struct order *ret_order)
{
	struct template_row *rows;
	size_t n;
	int r = store_templates(tx, name, &rows, &n);

	if (r != 0)
		return r;
	if (n == 0)
		return SERVICE_E_TEMPLATE;
	r = order_decode(rows[0].body, tx_arena(tx), ret_order);
	if (r == -EIO)
		log_error("template.malformed", log_text("template", name));
	return r;
}
