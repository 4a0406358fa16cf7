/*
 * Formatted text. What is understood is listed in hv/lib.h; anything else is printed as it stands.
 */
#include <hv/lib.h>
#include <hv/symbols.h>

struct output {
    char *to;
    size_t size, length; /* length counts what does not fit, too */
};

struct spec {
    bool left, zero, alternate, upper;
    char sign; /* printed before positive numbers; 0: none */
    unsigned width;
    int precision; /* -1: not given */
    unsigned base;
};

#define MAX_WIDTH 4096 /* a width or precision beyond this is a mistake, not a wish */

static void put(struct output *out, char c)
{
    if (out->length + 1 < out->size)
        out->to[out->length] = c;
    out->length++;
}

static void put_repeated(struct output *out, char c, int times)
{
    for (; times > 0; times--)
        put(out, c);
}

/* `prefix` (sign, 0x) goes before zeroes that pad, after blanks that do. */
static void put_field(struct output *out, const struct spec *spec, const char *prefix, int zeroes, const char *text,
                      size_t length)
{
    int padding = (int)spec->width - (int)strlen(prefix) - zeroes - (int)length;
    if (!spec->left && !spec->zero)
        put_repeated(out, ' ', padding);
    while (*prefix)
        put(out, *prefix++);
    if (!spec->left && spec->zero)
        put_repeated(out, '0', padding);
    put_repeated(out, '0', zeroes);
    for (size_t i = 0; i < length; i++)
        put(out, text[i]);
    if (spec->left)
        put_repeated(out, ' ', padding);
}

static void put_number(struct output *out, struct spec *spec, uint64_t value, bool negative)
{
    const char *digits = spec->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24], prefix[3] = "";
    size_t at = sizeof(text);
    for (uint64_t rest = value; rest; rest /= spec->base)
        text[--at] = digits[rest % spec->base];
    if (value == 0 && spec->precision != 0)
        text[--at] = '0';
    if (spec->alternate && spec->base == 16 && value) {
        prefix[0] = '0';
        prefix[1] = spec->upper ? 'X' : 'x';
    } else if (negative) {
        prefix[0] = '-';
    } else {
        prefix[0] = spec->sign;
    }
    size_t length = sizeof(text) - at;
    if (spec->precision >= 0)
        spec->zero = false;
    put_field(out, spec, prefix, spec->precision - (int)length > 0 ? spec->precision - (int)length : 0, text + at,
              length);
}

static void put_string(struct output *out, struct spec *spec, const char *s)
{
    if (!s)
        s = "(null)";
    spec->zero = false;
    put_field(out, spec, "", 0, s, spec->precision >= 0 ? strnlen(s, (size_t)spec->precision) : strlen(s));
}

static void put_symbol(struct output *out, struct spec *spec, unsigned long address)
{
    char text[96];
    unsigned long offset;
    const char *name = symbol_find(address, &offset);
    if (name)
        snprintf(text, sizeof(text), "%s+%#lx", name, offset);
    else
        snprintf(text, sizeof(text), "%#018lx", address);
    put_string(out, spec, text);
}

static const char *parse_flags(const char *f, struct spec *spec)
{
    for (;; f++) {
        if (*f == '-')
            spec->left = true;
        else if (*f == '0')
            spec->zero = true;
        else if (*f == '#')
            spec->alternate = true;
        else if (*f == '+' || *f == ' ')
            spec->sign = *f;
        else
            return f;
    }
}

static const char *parse_digits(const char *f, unsigned *value)
{
    unsigned n = 0;
    for (; *f >= '0' && *f <= '9'; f++)
        n = min(n * 10 + (unsigned)(*f - '0'), (unsigned)MAX_WIDTH);
    *value = n;
    return f;
}

enum size { SIZE_INT, SIZE_CHAR, SIZE_SHORT, SIZE_LONG };

static const char *parse_size_modifier(const char *f, enum size *size)
{
    *size = SIZE_INT;
    for (;; f++) {
        if (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't')
            *size = SIZE_LONG;
        else if (*f == 'h')
            *size = *size == SIZE_SHORT ? SIZE_CHAR : SIZE_SHORT;
        else
            return f;
    }
}

static uint64_t truncate_unsigned(uint64_t value, enum size size)
{
    return size == SIZE_LONG    ? value
           : size == SIZE_INT   ? (uint32_t)value
           : size == SIZE_SHORT ? (uint16_t)value
                                : (uint8_t)value;
}

static int64_t truncate_signed(uint64_t value, enum size size)
{
    return size == SIZE_LONG    ? (int64_t)value
           : size == SIZE_INT   ? (int32_t)value
           : size == SIZE_SHORT ? (int16_t)value
                                : (int8_t)value;
}

/* va_list may be an array type, which a function can only take by pointer inside a structure. */
struct arguments {
    va_list list;
};

static uint64_t next_number(struct arguments *args, enum size size)
{
    return size == SIZE_LONG ? va_arg(args->list, unsigned long) : va_arg(args->list, unsigned);
}

/* One conversion; f is at its letter. Returns the first character after it, or NULL if it is unknown. */
static const char *convert(struct output *out, struct spec *spec, const char *f, enum size size, struct arguments *args)
{
    switch (*f) {
    case 'c': {
        char c = (char)va_arg(args->list, int);
        spec->zero = false;
        put_field(out, spec, "", 0, &c, 1);
        return f + 1;
    }
    case 's':
        put_string(out, spec, va_arg(args->list, const char *));
        return f + 1;
    case 'd':
    case 'i': {
        int64_t value = truncate_signed(next_number(args, size), size);
        spec->base = 10;
        put_number(out, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
        return f + 1;
    }
    case 'u':
    case 'x':
    case 'X':
        spec->base = *f == 'u' ? 10 : 16;
        spec->upper = *f == 'X';
        spec->sign = 0;
        put_number(out, spec, truncate_unsigned(next_number(args, size), size), false);
        return f + 1;
    case 'p': {
        unsigned long address = (unsigned long)va_arg(args->list, void *);
        if (f[1] == 'S') {
            put_symbol(out, spec, address);
            return f + 2;
        }
        char text[24];
        put_string(out, spec, (snprintf(text, sizeof(text), "0x%016lx", address), text));
        return f + 1;
    }
    case '%':
        put(out, '%');
        return f + 1;
    default:
        return NULL;
    }
}

static const char *parse_spec(const char *f, struct spec *spec, enum size *size, struct arguments *args)
{
    f = parse_flags(f, spec);
    if (*f == '*') {
        int width = va_arg(args->list, int);
        spec->left |= width < 0;
        unsigned wanted = width < 0 ? 0U - (unsigned)width : (unsigned)width;
        spec->width = min(wanted, (unsigned)MAX_WIDTH);
        f++;
    } else {
        f = parse_digits(f, &spec->width);
    }
    if (*f == '.') {
        unsigned digits;
        if (*++f == '*') {
            spec->precision = min(va_arg(args->list, int), MAX_WIDTH);
            f++;
        } else {
            f = parse_digits(f, &digits);
            spec->precision = (int)digits;
        }
    }
    return parse_size_modifier(f, size);
}

int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
    struct output out = {.to = to, .size = size};
    struct arguments arguments;
    va_copy(arguments.list, args);
    const char *f = format;
    while (*f) {
        if (*f != '%') {
            put(&out, *f++);
            continue;
        }
        struct spec spec = {.precision = -1};
        enum size argument_size;
        const char *letter = parse_spec(f + 1, &spec, &argument_size, &arguments);
        const char *next = convert(&out, &spec, letter, argument_size, &arguments);
        if (!next) {
            put(&out, *f++);
            continue;
        }
        f = next;
    }
    va_end(arguments.list);
    if (size)
        to[min(out.length, size - 1)] = 0;
    return (int)out.length;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(to, size, format, args);
    va_end(args);
    return length;
}
