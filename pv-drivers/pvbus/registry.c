/* The registry: one value by the full name of its key. All at PASSIVE_LEVEL. */
#include "bus.h"

#define VALUE_SIZE 1024

static NTSTATUS open(const WCHAR *key, ACCESS_MASK access, HANDLE *handle)
{
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, key);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwOpenKey(handle, access, &attributes);
}

static NTSTATUS query(HANDLE key, const WCHAR *name, ULONG type, void *value, ULONG *size)
{
    KEY_VALUE_PARTIAL_INFORMATION *information = ExAllocatePoolWithTag(PagedPool, VALUE_SIZE, PVBUS_TAG);
    UNICODE_STRING value_name;
    ULONG needed;
    NTSTATUS status;

    if (!information)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlInitUnicodeString(&value_name, name);
    status = ZwQueryValueKey(key, &value_name, KeyValuePartialInformation, information, VALUE_SIZE, &needed);
    if (NT_SUCCESS(status) && (information->Type != type || information->DataLength > *size))
        status = STATUS_OBJECT_TYPE_MISMATCH;
    if (NT_SUCCESS(status)) {
        *size = information->DataLength;
        memcpy(value, information->Data, information->DataLength);
    }
    ExFreePoolWithTag(information, PVBUS_TAG);
    return status;
}

NTSTATUS registry_get(const WCHAR *key, const WCHAR *name, ULONG type, void *value, ULONG *size)
{
    HANDLE handle;
    NTSTATUS status = open(key, KEY_READ, &handle);

    if (!NT_SUCCESS(status))
        return status;
    status = query(handle, name, type, value, size);
    ZwClose(handle);
    return status;
}

BOOLEAN registry_number(const WCHAR *key, const WCHAR *name, ULONG *value)
{
    ULONG size = sizeof(*value);

    return NT_SUCCESS(registry_get(key, name, REG_DWORD, value, &size)) && size == sizeof(*value);
}

NTSTATUS registry_set_number(const WCHAR *key, const WCHAR *name, ULONG value)
{
    HANDLE handle;
    UNICODE_STRING value_name;
    NTSTATUS status = open(key, KEY_WRITE, &handle);

    if (!NT_SUCCESS(status))
        return status;
    RtlInitUnicodeString(&value_name, name);
    status = ZwSetValueKey(handle, &value_name, 0, REG_DWORD, &value, sizeof(value));
    ZwClose(handle);
    return status;
}

NTSTATUS registry_delete(const WCHAR *key, const WCHAR *name)
{
    HANDLE handle;
    UNICODE_STRING value_name;
    NTSTATUS status = open(key, KEY_WRITE, &handle);

    if (!NT_SUCCESS(status))
        return status;
    RtlInitUnicodeString(&value_name, name);
    status = ZwDeleteValueKey(handle, &value_name);
    if (NT_SUCCESS(status))
        ZwFlushKey(handle); /* as far as that goes: early in boot the file cannot be written */
    ZwClose(handle);
    return status;
}
