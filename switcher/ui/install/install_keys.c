#include "install_keys.h"

#include <xkbcommon/xkbcommon.h>

struct install_keys {
    struct xkb_context *context;
    struct xkb_keymap *keymap;
    struct xkb_state *state;
};

struct install_keys *install_keys_new(const char *layout)
{
    struct install_keys *keys = g_new0(struct install_keys, 1);
    struct xkb_rule_names names = {.model = "pc105", .layout = layout};
    keys->context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
    if (keys->context)
        keys->keymap = xkb_keymap_new_from_names(keys->context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
    if (keys->keymap)
        keys->state = xkb_state_new(keys->keymap);
    return keys;
}

void install_keys_free(struct install_keys *keys)
{
    if (!keys)
        return;
    xkb_state_unref(keys->state);
    xkb_keymap_unref(keys->keymap);
    xkb_context_unref(keys->context);
    g_free(keys);
}

static gboolean holds(const struct install_keys *keys, const char *modifier)
{
    return xkb_state_mod_name_is_active(keys->state, modifier, XKB_STATE_MODS_EFFECTIVE) > 0;
}

static void type(GtkEntry *entry, const char *text)
{
    int place;
    gtk_editable_delete_selection(GTK_EDITABLE(entry));
    place = gtk_editable_get_position(GTK_EDITABLE(entry));
    gtk_editable_insert_text(GTK_EDITABLE(entry), text, -1, &place);
    gtk_editable_set_position(GTK_EDITABLE(entry), place);
}

/* A key that waits for the next one types nothing: a passphrase with it could not be typed at the start. */
static gboolean press(struct install_keys *keys, guint16 code, GtkEntry *entry)
{
    xkb_keysym_t symbol = xkb_state_key_get_one_sym(keys->state, code);
    char text[16];
    int length = xkb_state_key_get_utf8(keys->state, code, text, sizeof(text));
    if (!entry || holds(keys, XKB_MOD_NAME_CTRL) || holds(keys, XKB_MOD_NAME_ALT))
        return FALSE;
    if (symbol >= XKB_KEY_dead_grave && symbol <= XKB_KEY_dead_greek)
        return TRUE;
    if (length <= 0 || (guchar)text[0] < ' ' || text[0] == 0x7f)
        return FALSE;
    type(entry, text);
    return TRUE;
}

gboolean install_keys_event(struct install_keys *keys, const GdkEventKey *event, GtkEntry *entry)
{
    gboolean down = event->type == GDK_KEY_PRESS;
    if (!keys->state)
        return FALSE;
    gboolean typed = down && press(keys, event->hardware_keycode, entry);
    xkb_state_update_key(keys->state, event->hardware_keycode, down ? XKB_KEY_DOWN : XKB_KEY_UP);
    return typed;
}
