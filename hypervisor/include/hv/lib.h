/*
 * Strings, numbers, formatted text and intrusive lists. No state, no locks.
 */
#ifndef HV_LIB_H
#define HV_LIB_H

#include <hv/types.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *part);

/* Copies at most size-1 characters and always ends `to` with 0; returns strlen(from). */
size_t strlcpy(char *to, const char *from, size_t size);

/* Parses decimal, 0x hex; *end receives the first character not taken. No overflow check beyond saturation. */
uint64_t strtou64(const char *s, const char **end);
/* Like strtou64, with an optional suffix K, M, G, T (powers of 1024); a bare number is bytes. */
uint64_t parse_size(const char *s, const char **end);

/* Always ends the text with 0 when size > 0; returns the length the whole text needs.
 * Knows %c %s %d %i %u %x %X %p %% with width, precision, '0', '-', '#', l, ll, z; and
 * %pS: the symbol name and offset of a code address. */
int vsnprintf(char *to, size_t size, const char *format, va_list args);
int snprintf(char *to, size_t size, const char *format, ...) __printf(3, 4);

/* Circular doubly linked list; an empty head points to itself. */
struct list {
    struct list *next, *prev;
};
#define LIST_INIT(name)                                                                                                \
    {                                                                                                                  \
        &(name), &(name)                                                                                               \
    }
static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_insert_between(struct list *n, struct list *prev, struct list *next)
{
    n->prev = prev;
    n->next = next;
    prev->next = n;
    next->prev = n;
}
static inline void list_add(struct list *head, struct list *n)
{
    list_insert_between(n, head, head->next);
}
static inline void list_add_tail(struct list *head, struct list *n)
{
    list_insert_between(n, head->prev, head);
}
/* Removes n and leaves it as an empty list of its own, so that removing twice is harmless. */
static inline void list_remove(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}
#define list_entry(p, type, member) container_of(p, type, member)
#define list_for_each(pos, head, member)                                                                               \
    for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head);                             \
         pos = list_entry(pos->member.next, __typeof__(*pos), member))
#define list_for_each_safe(pos, tmp, head, member)                                                                     \
    for (pos = list_entry((head)->next, __typeof__(*pos), member),                                                     \
        tmp = list_entry(pos->member.next, __typeof__(*pos), member);                                                  \
         &pos->member != (head); pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

/* Bitmaps of unsigned long words. The atomic ones are full barriers. */
#define BITS_PER_LONG      64
#define BITMAP(name, bits) unsigned long name[DIV_ROUND_UP(bits, BITS_PER_LONG)]
static inline bool test_bit(unsigned long n, const volatile void *map)
{
    return (((const volatile unsigned long *)map)[n / BITS_PER_LONG] >> (n % BITS_PER_LONG)) & 1;
}
static inline void set_bit(unsigned long n, volatile void *map)
{
    __asm__ volatile("lock btsq %1, %0" : "+m"(*(volatile unsigned long *)map) : "Jr"(n) : "memory", "cc");
}
static inline void clear_bit(unsigned long n, volatile void *map)
{
    __asm__ volatile("lock btrq %1, %0" : "+m"(*(volatile unsigned long *)map) : "Jr"(n) : "memory", "cc");
}
static inline bool test_and_set_bit(unsigned long n, volatile void *map)
{
    bool was;
    __asm__ volatile("lock btsq %2, %0" : "+m"(*(volatile unsigned long *)map), "=@ccc"(was) : "Jr"(n) : "memory");
    return was;
}
static inline bool test_and_clear_bit(unsigned long n, volatile void *map)
{
    bool was;
    __asm__ volatile("lock btrq %2, %0" : "+m"(*(volatile unsigned long *)map), "=@ccc"(was) : "Jr"(n) : "memory");
    return was;
}
/* Index of the first set / clear bit, or `bits` if there is none. */
unsigned long find_first_set(const unsigned long *map, unsigned long bits);
unsigned long find_first_zero(const unsigned long *map, unsigned long bits);

#endif
