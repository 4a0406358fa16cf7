/* The platform device's memory: addresses without RAM, on which the hypervisor puts pages of its own. */
#include "bus.h"

static const CM_PARTIAL_RESOURCE_DESCRIPTOR *memory_of(PCM_RESOURCE_LIST list)
{
    const CM_PARTIAL_RESOURCE_LIST *partial = list && list->Count ? &list->List[0].PartialResourceList : NULL;

    for (ULONG i = 0; partial && i < partial->Count; i++)
        if (partial->PartialDescriptors[i].Type == CmResourceTypeMemory)
            return &partial->PartialDescriptors[i];
    return NULL;
}

NTSTATUS window_init(struct bus *bus, PCM_RESOURCE_LIST translated)
{
    const CM_PARTIAL_RESOURCE_DESCRIPTOR *memory = memory_of(translated);
    NTSTATUS status;

    if (!memory || memory->u.Memory.Length < (1 + GRANT_FRAMES) * PV_PAGE_SIZE)
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    bus->window = memory->u.Memory.Start;
    bus->window_size = memory->u.Memory.Length;
    status = window_place(bus);
    if (!NT_SUCCESS(status))
        return status;
    bus->window_mapped = (1 + GRANT_FRAMES) * PV_PAGE_SIZE;
    bus->window_va = MmMapIoSpace(bus->window, bus->window_mapped, MmCached);
    bus->shared_info = (struct shared_info *)bus->window_va;
    return bus->window_va ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

ULONGLONG window_frame(struct bus *bus, ULONG page)
{
    return (ULONGLONG)bus->window.QuadPart / PV_PAGE_SIZE + page;
}

NTSTATUS window_place(struct bus *bus)
{
    return add_to_physmap(XENMAPSPACE_shared_info, 0, window_frame(bus, 0));
}

void window_free(struct bus *bus)
{
    if (bus->window_va)
        MmUnmapIoSpace(bus->window_va, bus->window_mapped);
    bus->window_va = NULL;
    bus->shared_info = NULL;
}
