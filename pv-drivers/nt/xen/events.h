/* Event channels, between the files of this folder. All under hv_lock(), which may be taken twice. */
#ifndef NT_XEN_EVENTS_H
#define NT_XEN_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

void hv_lock(void);
void hv_unlock(void);
void events_boot(bool fifo);
void events_open_store(uint32_t port);
uint32_t events_forget(uint32_t store_port); /* a new domain's; its port of xenstore */
void events_set_shared_info(void *page);
long events_op(uint64_t operation, void *argument);
bool events_upcall_pending(void);
bool events_work(void);
bool events_idle(void);

#endif
