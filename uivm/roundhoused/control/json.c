/* Values of the bus as JSON. */
#include "control.h"

static void print_text(const char *text)
{
    g_print("\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            g_print("\\%c", *text);
        else if ((guchar)*text < ' ')
            g_print("\\u%04x", (guint)(guchar)*text);
        else
            g_print("%c", *text);
    }
    g_print("\"");
}

static void print_value(GVariant *value);

static void print_list(GVariant *list, const char *brackets)
{
    g_print("%c", brackets[0]);
    for (gsize i = 0; i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(list, i);
        g_print("%s", i ? ", " : "");
        print_value(child);
    }
    g_print("%c", brackets[1]);
}

static void print_pair(GVariant *pair)
{
    g_autoptr(GVariant) key = g_variant_get_child_value(pair, 0), value = g_variant_get_child_value(pair, 1);
    print_value(key);
    g_print(": ");
    print_value(value);
}

static void print_number(GVariant *number)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *whole = g_variant_print(number, FALSE);
    gboolean real = g_variant_is_of_type(number, G_VARIANT_TYPE_DOUBLE);
    g_print("%s", real ? g_ascii_dtostr(text, sizeof(text), g_variant_get_double(number)) : whole);
}

static void print_value(GVariant *value)
{
    g_autoptr(GVariant) inner = NULL;
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_STRING:
    case G_VARIANT_CLASS_OBJECT_PATH:
        print_text(g_variant_get_string(value, NULL));
        break;
    case G_VARIANT_CLASS_VARIANT:
        inner = g_variant_get_variant(value);
        print_value(inner);
        break;
    case G_VARIANT_CLASS_DICT_ENTRY:
        print_pair(value);
        break;
    case G_VARIANT_CLASS_ARRAY:
        print_list(value, g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY) ? "{}" : "[]");
        break;
    default:
        print_number(value);
    }
}

void json_print(GVariant *value)
{
    print_value(value);
    g_print("\n");
}
