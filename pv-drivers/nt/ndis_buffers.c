/*
 * Lists of buffers, which are followed from one owner to the other: those that the miniport's driver makes and
 * indicates, and those that the protocol, which is the test, sends.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "ndis_state.h"

struct pool {
    ULONG tag;
    LONG lists;
};

/* A list of a pool, with its buffer. */
struct pooled {
    NET_BUFFER_LIST list;
    NET_BUFFER buffer;
    struct pool *pool;
    bool indicated;
    struct pooled *next_held;
};

struct record {
    struct nt_received received;
    struct record *next;
};

static bool holds;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two lists */
static struct record *records, **records_end = &records;
static struct pooled *held;

/* --- lists of buffers of the miniport's --- */

NDIS_HANDLE NTAPI NdisAllocateNetBufferListPool(NDIS_HANDLE handle, NET_BUFFER_LIST_POOL_PARAMETERS *parameters)
{
    struct pool *pool;

    nt_ndis_check_handle(handle);
    nt_ndis_check_header(&parameters->Header, NDIS_OBJECT_TYPE_DEFAULT, 1, sizeof(*parameters));
    if (!parameters->PoolTag || !parameters->fAllocateNetBuffer)
        nt_bug("a pool of lists without a tag, or without buffers");
    if (nt_allocation_fails())
        return NULL;
    pool = nt_allocate(sizeof(*pool), parameters->PoolTag);
    *pool = (struct pool){parameters->PoolTag, 0};
    return pool;
}

VOID NTAPI NdisFreeNetBufferListPool(NDIS_HANDLE handle)
{
    struct pool *pool = handle;

    if (pool->lists)
        nt_bug("a pool of lists is freed of which %d are left", (int)pool->lists);
    nt_free(pool);
}

NET_BUFFER_LIST *NTAPI NdisAllocateNetBufferAndNetBufferList(NDIS_HANDLE handle, USHORT size, USHORT back_fill,
                                                             PMDL mdl, ULONG offset, SIZE_T length)
{
    struct pool *pool = handle;
    struct pooled *pooled;

    UNREFERENCED_PARAMETER(size);
    UNREFERENCED_PARAMETER(back_fill);
    if (nt_allocation_fails())
        return NULL;
    pooled = nt_allocate(sizeof(*pooled), pool->tag);
    memset(pooled, 0, sizeof(*pooled));
    pooled->pool = pool;
    pooled->list.NdisPoolHandle = pool;
    pooled->list.FirstNetBuffer = &pooled->buffer;
    pooled->buffer.MdlChain = pooled->buffer.CurrentMdl = mdl;
    pooled->buffer.DataOffset = pooled->buffer.CurrentMdlOffset = offset;
    pooled->buffer.DataLength = length;
    __sync_add_and_fetch(&pool->lists, 1);
    return &pooled->list;
}

VOID NTAPI NdisFreeNetBufferList(NET_BUFFER_LIST *list)
{
    struct pooled *pooled = CONTAINING_RECORD(list, struct pooled, list);

    if (pooled->indicated)
        nt_bug("a list of buffers is freed that the protocol has");
    __sync_sub_and_fetch(&pooled->pool->lists, 1);
    nt_free(pooled);
}

/* --- receiving --- */

static void copy_bytes(struct nt_received *received, const NET_BUFFER *buffer)
{
    const MDL *mdl = buffer->CurrentMdl;
    ULONG offset = buffer->CurrentMdlOffset;

    if (buffer->DataLength < 14 || buffer->DataLength > sizeof(received->data))
        nt_bug("a packet of %u bytes is indicated", (unsigned)buffer->DataLength);
    for (ULONG at = 0; at < buffer->DataLength; at++, offset++) {
        while (mdl && offset >= mdl->ByteCount) {
            offset -= mdl->ByteCount;
            mdl = mdl->Next;
        }
        if (!mdl || !(mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL))
            nt_bug("a packet of %u bytes has MDLs for %u", (unsigned)buffer->DataLength, (unsigned)at);
        received->data[at] = ((unsigned char *)mdl->MappedSystemVa)[offset];
    }
    received->size = (unsigned)buffer->DataLength;
}

static void record(const NET_BUFFER_LIST *list)
{
    struct record *record = calloc(1, sizeof(*record));

    copy_bytes(&record->received, list->FirstNetBuffer);
    record->received.processor = KeGetCurrentProcessorNumberEx(NULL);
    record->received.checksum.Value = list->NetBufferListInfo[TcpIpChecksumNetBufferListInfo];
    record->received.hash = (uint32_t)(uintptr_t)list->NetBufferListInfo[NetBufferListHashValue];
    record->received.hash_info = (uint32_t)(uintptr_t)list->NetBufferListInfo[NetBufferListHashInfo];
    pthread_mutex_lock(&lock);
    *records_end = record;
    records_end = &record->next;
    pthread_mutex_unlock(&lock);
}

bool nt_received_take(struct nt_received *received)
{
    struct record *first;

    pthread_mutex_lock(&lock);
    first = records;
    if (first) {
        records = first->next;
        if (!records)
            records_end = &records;
    }
    pthread_mutex_unlock(&lock);
    if (first && received)
        *received = first->received;
    free(first);
    return first != NULL;
}

static void give_back(struct pooled *pooled, ULONG flags)
{
    KIRQL irql = nt_irql();

    pooled->indicated = false;
    pooled->list.Next = NULL;
    __sync_sub_and_fetch(&nt_ndis.with_protocol, 1);
    nt_ndis.miniport.ReturnNetBufferListsHandler(nt_ndis.context, &pooled->list, flags);
    nt_ndis_check_irql("MiniportReturnNetBufferLists", irql);
}

static void take_indicated(NET_BUFFER_LIST *list)
{
    struct pooled *pooled = CONTAINING_RECORD(list, struct pooled, list);

    if (list->SourceHandle != NT_NDIS_HANDLE)
        nt_bug("a list of buffers is indicated without its source");
    if (__atomic_exchange_n(&pooled->indicated, true, __ATOMIC_SEQ_CST))
        nt_bug("a list of buffers is indicated that the protocol has already");
    __sync_add_and_fetch(&nt_ndis.with_protocol, 1);
    record(list);
}

static void keep(struct pooled *pooled)
{
    pthread_mutex_lock(&lock);
    pooled->next_held = held;
    held = pooled;
    pthread_mutex_unlock(&lock);
}

VOID NTAPI NdisMIndicateReceiveNetBufferLists(NDIS_HANDLE handle, NET_BUFFER_LIST *lists, NDIS_PORT_NUMBER port,
                                              ULONG count, ULONG flags)
{
    ULONG seen = 0;

    nt_ndis_check_handle(handle);
    if (nt_ndis.state != RUNNING && nt_ndis.state != PAUSING)
        nt_bug("packets are indicated while the adapter is paused");
    if (port || flags & ~(ULONG)NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL)
        nt_bug("packets are indicated with the flags %#x", (unsigned)flags);
    if (flags & NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL && nt_irql() != DISPATCH_LEVEL)
        nt_bug("packets are indicated as at DISPATCH_LEVEL, at %u", nt_irql());
    for (NET_BUFFER_LIST *list = lists; list; list = list->Next, seen++)
        take_indicated(list);
    if (seen != count)
        nt_bug("%u packets are indicated as %u", (unsigned)seen, (unsigned)count);
    while (lists) {
        struct pooled *pooled = CONTAINING_RECORD(lists, struct pooled, list);

        lists = lists->Next;
        if (holds)
            keep(pooled);
        else
            give_back(pooled, NDIS_RETURN_FLAGS_DISPATCH_LEVEL);
    }
}

void nt_ndis_hold(bool wanted)
{
    holds = wanted;
}

unsigned nt_ndis_held(void)
{
    return (unsigned)nt_ndis.with_protocol;
}

void nt_ndis_return_held(void)
{
    for (;;) {
        struct pooled *pooled;

        pthread_mutex_lock(&lock);
        pooled = held;
        held = pooled ? pooled->next_held : NULL;
        pthread_mutex_unlock(&lock);
        if (!pooled)
            return;
        give_back(pooled, 0);
    }
}

/* --- sending --- */

static MDL *new_mdl(const unsigned char *data, unsigned size)
{
    MDL *mdl = nt_allocate(sizeof(*mdl) + 2 * sizeof(PFN_NUMBER) + 16 * sizeof(PFN_NUMBER), NT_NDIS_TAG);
    unsigned char *copy = nt_allocate(size, NT_NDIS_TAG);

    memcpy(copy, data, size);
    memset(mdl, 0, sizeof(*mdl));
    mdl->ByteCount = size;
    mdl->StartVa = PAGE_ALIGN(copy);
    mdl->ByteOffset = BYTE_OFFSET(copy);
    return mdl;
}

/* An MDL is not mapped yet when a driver gets it; where its bytes are this file knows by StartVa. */
static void free_mdl(MDL *mdl)
{
    nt_free((unsigned char *)mdl->StartVa + mdl->ByteOffset);
    nt_free(mdl);
}

void nt_send_add(struct nt_send *send, const void *data, unsigned size, unsigned piece)
{
    NET_BUFFER *buffer = nt_allocate(sizeof(*buffer), NT_NDIS_TAG), **at = &send->list.FirstNetBuffer;
    MDL **end = &buffer->MdlChain;

    memset(buffer, 0, sizeof(*buffer));
    for (unsigned from = 0; from < size; end = &(*end)->Next) {
        unsigned here = piece && piece < size - from ? piece : size - from;

        *end = new_mdl((const unsigned char *)data + from, here);
        from += here;
    }
    buffer->CurrentMdl = buffer->MdlChain;
    buffer->DataLength = size;
    while (*at)
        at = &(*at)->Next;
    *at = buffer;
}

struct nt_send *nt_send_make(const void *data, unsigned size, unsigned piece)
{
    struct nt_send *send = nt_allocate(sizeof(*send), NT_NDIS_TAG);

    memset(send, 0, sizeof(*send));
    KeInitializeEvent(&send->done, NotificationEvent, FALSE);
    nt_send_add(send, data, size, piece);
    return send;
}

void nt_send_start(struct nt_send *send)
{
    KIRQL irql = nt_irql();

    if (nt_ndis.state != RUNNING)
        nt_bug("the test sends while the adapter is not running");
    for (NET_BUFFER_LIST *list = &send->list; list; list = list->Next) {
        CONTAINING_RECORD(list, struct nt_send, list)->pending = true;
        __sync_add_and_fetch(&nt_ndis.sends_pending, 1);
    }
    nt_ndis.miniport.SendNetBufferListsHandler(nt_ndis.context, &send->list, 0, 0);
    nt_ndis_check_irql("MiniportSendNetBufferLists", irql);
}

bool nt_send_is_pending(const struct nt_send *send)
{
    return __atomic_load_n(&send->pending, __ATOMIC_SEQ_CST);
}

VOID NTAPI NdisMSendNetBufferListsComplete(NDIS_HANDLE handle, NET_BUFFER_LIST *lists, ULONG flags)
{
    nt_ndis_check_handle(handle);
    if (flags & NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL && nt_irql() != DISPATCH_LEVEL)
        nt_bug("sends are completed as at DISPATCH_LEVEL, at %u", nt_irql());
    while (lists) {
        struct nt_send *send = CONTAINING_RECORD(lists, struct nt_send, list);

        lists = lists->Next; /* the sender may free it at once */
        if (!__atomic_exchange_n(&send->pending, false, __ATOMIC_SEQ_CST))
            nt_bug("a send is completed twice");
        if (send->list.Status == NDIS_STATUS_PENDING)
            nt_bug("a send is completed as pending");
        __sync_sub_and_fetch(&nt_ndis.sends_pending, 1);
        KeSetEvent(&send->done, 0, FALSE);
    }
}

NDIS_STATUS nt_send_wait(struct nt_send *send)
{
    NDIS_STATUS status;

    KeWaitForSingleObject(&send->done, Executive, KernelMode, FALSE, NULL);
    status = send->list.Status;
    while (send->list.FirstNetBuffer) {
        NET_BUFFER *buffer = send->list.FirstNetBuffer;

        send->list.FirstNetBuffer = buffer->Next;
        while (buffer->MdlChain) {
            MDL *mdl = buffer->MdlChain;

            buffer->MdlChain = mdl->Next;
            free_mdl(mdl);
        }
        nt_free(buffer);
    }
    nt_free(send);
    return status;
}

void nt_send_cancel(void *id)
{
    nt_ndis.miniport.CancelSendHandler(nt_ndis.context, id);
}

void nt_ndis_forget_received(void)
{
    while (nt_received_take(NULL)) {
    }
    held = NULL;
    holds = false;
}
