/* Functions of the kernel's C library, in the calling convention that drivers use. */
#ifndef NT_TEXT_H
#define NT_TEXT_H

#include "nt.h"

NT_ABI ULONG nt_DbgPrint(PCSTR format, ...);
NT_ABI void *nt_memcpy(void *to, const void *from, size_t size);
NT_ABI void *nt_memmove(void *to, const void *from, size_t size);
NT_ABI void *nt_memset(void *to, int byte, size_t size);
NT_ABI int nt_memcmp(const void *first, const void *second, size_t size);
NT_ABI size_t nt_strlen(const char *text);
NT_ABI int nt_strcmp(const char *first, const char *second);
NT_ABI char *nt_strcpy(char *to, const char *from);
NT_ABI char *nt_strcat(char *to, const char *from);
NT_ABI char *nt_strchr(const char *text, int byte);
NT_ABI size_t nt_wcslen(const WCHAR *text);

#endif
