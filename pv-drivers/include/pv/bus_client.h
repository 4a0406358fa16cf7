/* What drivers of pvbus's devices have in common: how they find the bus, and numbers and paths of xenstore. */
#ifndef PV_BUS_CLIENT_H
#define PV_BUS_CLIENT_H

#include "pv/bus_interface.h"

/* The bus's interface for its device; PASSIVE_LEVEL. With success, InterfaceDereference is the caller's duty. */
NTSTATUS bus_query(PDEVICE_OBJECT physical, struct pv_bus_interface *bus);

/* The drivers below first; the request is the caller's again afterwards. PASSIVE_LEVEL. */
NTSTATUS forward_and_wait(PDEVICE_OBJECT lower, PIRP irp);

/* At most 19 digits and nothing else; FALSE, and no number, for any other text. */
BOOLEAN read_decimal(const char *text, ULONGLONG *value);
void write_decimal(char *text, ULONG value); /* at most 10 digits and the end mark */
void join_path(char *path, const char *folder, const char *name);

/* A number that stands in a folder; `otherwise` if there is none, or no number. Folder and name have less than 192
 * bytes. PASSIVE_LEVEL. */
ULONGLONG bus_read_number(struct pv_bus_interface *bus, const char *folder, const char *name, ULONGLONG otherwise);
NTSTATUS bus_write_number(struct pv_bus_interface *bus, const char *folder, const char *name, ULONG value);

#endif
