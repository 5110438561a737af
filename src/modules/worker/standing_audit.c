/* What is recorded for good of a change of standing: another class, or a check that was not passed. */
#include "modules/logging/logging.h"
#include "modules/worker/worker_rules.h"
#include "modules/worker/worker_store.h"
#include "popw/class.h"

static const char *class_of(const struct worker_standing *standing)
{
	if (standing->state != WORKER_PROVED || standing->class_ < 0)
		return "none";
	return (size_t)standing->class_ < class_rows_n ? class_rows[standing->class_].name
						       : "unknown";
}

static json_t *detail_of(const struct worker_proof_device *before,
			 const struct worker_standing *standing)
{
	static const char *const kinds[] = { "", "gpu", "host", "disk" };
	char proof[ID_TEXT_SIZE];

	id_text("prf", standing->proof, proof);
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "device", kinds[before->device], "uuid",
			 before->uuid, "from", class_of(&before->standing), "to",
			 class_of(standing), "proof", proof);
}

static int find_device(struct tx *tx, struct machine_id machine, enum worker_device device,
		       const char *uuid, struct worker_proof_device *ret_device)
{
	struct worker_proof_device *devices;
	size_t n;
	int r = worker_store_devices(tx, machine, &devices, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (devices[i].device == device && strcmp(devices[i].uuid, uuid) == 0) {
			*ret_device = devices[i];
			return 0;
		}
	return r != 0 ? r : ROUTE_E_NOT_FOUND;
}

int worker_standing_audit(const struct context *context, struct tx *tx, struct machine_id machine,
			  enum worker_device device, const char *uuid,
			  const struct worker_standing *standing)
{
	struct worker_proof_device before;
	char subject[ADDRESS_TEXT_SIZE];
	struct audit_entry entry = { .by = AUDIT_NETWORK, .subject = subject };
	int r = find_device(tx, machine, device, uuid, &before);

	if (r != 0)
		return r;
	address_text(&machine.address, subject);
	entry.owner = &before.owner;
	if (strcmp(class_of(&before.standing), class_of(standing)) != 0) {
		entry.action = AUDIT_MACHINE_CLASS;
		entry.detail = detail_of(&before, standing);
		r = audit_record(context, tx, &entry);
	}
	if (r == 0 && standing->state == WORKER_FAILED && before.standing.state != WORKER_FAILED) {
		entry.action = AUDIT_MACHINE_FAILED;
		entry.detail = detail_of(&before, standing);
		r = audit_record(context, tx, &entry);
	}
	return r;
}
