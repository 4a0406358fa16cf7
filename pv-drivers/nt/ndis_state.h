/* What the files of NDIS have in common. */
#ifndef NT_NDIS_STATE_H
#define NT_NDIS_STATE_H

#include "ndis.h"

#define NT_NDIS_HANDLE ((NDIS_HANDLE)&nt_ndis)
#define NT_NDIS_TAG    0x7369644e

/* PAUSING: the miniport's function runs; PAUSE_PENDING: it has said that it is not done yet. */
enum ndis_state { HALTED, INITIALIZING, PAUSED, RUNNING, PAUSING, PAUSE_PENDING };

extern struct nt_ndis {
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS miniport;
    volatile enum ndis_state state;
    void *context;
    LONG sends_pending, with_protocol;
} nt_ndis;

void nt_ndis_check_handle(NDIS_HANDLE handle);
void nt_ndis_check_header(const NDIS_OBJECT_HEADER *header, UCHAR type, UCHAR revision, unsigned size);
void nt_ndis_check_irql(const char *what, KIRQL before);
void nt_ndis_forget_received(void);

#endif
