/* The registry: a list of values, each with the full name of its key. A key is there if it, or one below it, has a
 * value. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "nt.h"

#define MOST_VALUES  64
#define MOST_HANDLES 16
#define NAME_SIZE    160
#define DATA_SIZE    600

static struct value {
    char key[NAME_SIZE], name[NAME_SIZE];
    ULONG type;
    unsigned size;
    unsigned char data[DATA_SIZE];
} values[MOST_VALUES];
static unsigned count;
static struct {
    bool open;
    char key[NAME_SIZE];
} handles[MOST_HANDLES];

static void narrow(char *to, const UNICODE_STRING *from)
{
    unsigned length = from->Length / 2u;

    if (length >= NAME_SIZE)
        nt_bug("a name in the registry is too long");
    for (unsigned i = 0; i < length; i++)
        to[i] = (char)from->Buffer[i];
    to[length] = 0;
}

static struct value *find(const char *key, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (!strcasecmp(values[i].key, key) && !strcasecmp(values[i].name, name))
            return &values[i];
    return NULL;
}

void nt_registry_set(const char *key, const char *name, ULONG type, const void *data, unsigned size)
{
    struct value *value = find(key, name);

    if (!value) {
        if (count == MOST_VALUES)
            nt_bug("the registry is full");
        value = &values[count++];
    }
    snprintf(value->key, NAME_SIZE, "%s", key);
    snprintf(value->name, NAME_SIZE, "%s", name);
    value->type = type;
    value->size = size;
    memcpy(value->data, data, size);
}

void nt_registry_number(const char *key, const char *name, ULONG value)
{
    nt_registry_set(key, name, REG_DWORD, &value, sizeof(value));
}

void nt_registry_text(const char *key, const char *name, const char *text)
{
    unsigned char wide[DATA_SIZE] = {0};
    unsigned length = (unsigned)strlen(text);

    for (unsigned i = 0; i < length; i++)
        wide[2 * i] = (unsigned char)text[i];
    nt_registry_set(key, name, REG_SZ, wide, 2 * length + 2);
}

bool nt_registry_get_number(const char *key, const char *name, ULONG *number)
{
    struct value *value = find(key, name);

    if (!value || value->type != REG_DWORD)
        return false;
    memcpy(number, value->data, sizeof(*number));
    return true;
}

void nt_registry_clear(void)
{
    for (unsigned i = 0; i < MOST_HANDLES; i++)
        if (handles[i].open)
            nt_bug("leak: a handle of the key %s", handles[i].key);
    count = 0;
}

static bool is_at_or_below(const char *key, const char *top)
{
    size_t length = strlen(top);

    return !strncasecmp(key, top, length) && (!key[length] || key[length] == '\\');
}

NTSTATUS NTAPI ZwOpenKey(PHANDLE handle, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes)
{
    char key[NAME_SIZE];

    UNREFERENCED_PARAMETER(access);
    if (!(attributes->Attributes & OBJ_KERNEL_HANDLE))
        nt_bug("a handle of a key that user programs could use");
    narrow(key, attributes->ObjectName);
    for (unsigned i = 0; i < count; i++)
        if (is_at_or_below(values[i].key, key))
            for (unsigned free = 0; free < MOST_HANDLES; free++)
                if (!handles[free].open) {
                    handles[free].open = true;
                    memcpy(handles[free].key, key, NAME_SIZE);
                    *handle = (HANDLE)(uintptr_t)(free + 1);
                    return STATUS_SUCCESS;
                }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

static const char *key_of(HANDLE handle)
{
    uintptr_t number = (uintptr_t)handle - 1;

    if (number >= MOST_HANDLES || !handles[number].open)
        nt_bug("a handle is used that is closed");
    return handles[number].key;
}

NTSTATUS NTAPI ZwClose(HANDLE handle)
{
    key_of(handle);
    handles[(uintptr_t)handle - 1].open = false;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ZwQueryValueKey(HANDLE handle, PUNICODE_STRING name, KEY_VALUE_INFORMATION_CLASS class, PVOID buffer,
                               ULONG size, PULONG needed)
{
    KEY_VALUE_PARTIAL_INFORMATION *information = buffer;
    char text[NAME_SIZE];
    struct value *value;

    if (class != KeyValuePartialInformation)
        nt_bug("another form of a value is asked for");
    narrow(text, name);
    value = find(key_of(handle), text);
    if (!value)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    *needed = (ULONG)offsetof(KEY_VALUE_PARTIAL_INFORMATION, Data) + value->size;
    if (*needed > size)
        return STATUS_BUFFER_OVERFLOW;
    information->TitleIndex = 0;
    information->Type = value->type;
    information->DataLength = value->size;
    memcpy(information->Data, value->data, value->size);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ZwSetValueKey(HANDLE handle, PUNICODE_STRING name, ULONG title, ULONG type, PVOID data, ULONG size)
{
    char text[NAME_SIZE];

    UNREFERENCED_PARAMETER(title);
    narrow(text, name);
    nt_registry_set(key_of(handle), text, type, data, size);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ZwDeleteValueKey(HANDLE handle, PUNICODE_STRING name)
{
    char text[NAME_SIZE];
    struct value *value;

    narrow(text, name);
    value = find(key_of(handle), text);
    if (!value)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    value->name[0] = 0; /* the key stays */
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ZwFlushKey(HANDLE handle)
{
    key_of(handle);
    return STATUS_SUCCESS;
}

VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING string, PCWSTR text)
{
    unsigned length = 0;

    while (text[length])
        length++;
    string->Buffer = (WCHAR *)text;
    string->Length = (USHORT)(length * 2);
    string->MaximumLength = (USHORT)(length * 2 + 2);
}
