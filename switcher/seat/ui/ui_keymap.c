// The interface's keyboard layout, from /etc/default/keyboard. Making it is most of the work of a start, so it is made
// when the interface asks for its keyboard: the guest that was on screen does not wait for it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "ui_internal.h"

enum { XKB_CODE_OFFSET = 8 };

#define KEYBOARD_DEFAULTS "/etc/default/keyboard"

struct keyboard_names {
    char model[64], layout[64], variant[64], options[128];
};

// Debian's file: lines such as XKBLAYOUT="de".
static void read_names(struct keyboard_names *names)
{
    const struct {
        const char *key;
        char *value;
        size_t size;
    } wanted[] = {{"XKBMODEL=", names->model, sizeof(names->model)},
                  {"XKBLAYOUT=", names->layout, sizeof(names->layout)},
                  {"XKBVARIANT=", names->variant, sizeof(names->variant)},
                  {"XKBOPTIONS=", names->options, sizeof(names->options)}};
    FILE *file = fopen(KEYBOARD_DEFAULTS, "re");
    char line[256];
    while (file && fgets(line, sizeof(line), file)) {
        for (unsigned i = 0; i < 4; i++) {
            if (strncmp(line, wanted[i].key, strlen(wanted[i].key)) != 0)
                continue;
            const char *value = line + strlen(wanted[i].key);
            value += strspn(value, "\"'");
            size_t length = strcspn(value, "\"'\n");
            if (length < wanted[i].size) {
                memcpy(wanted[i].value, value, length);
                wanted[i].value[length] = '\0';
            }
        }
    }
    if (file)
        fclose(file);
}

static struct xkb_keymap *load_keymap(struct ui *ui)
{
    struct keyboard_names names = {0};
    read_names(&names);
    struct xkb_rule_names rules = {
        .model = names.model, .layout = names.layout, .variant = names.variant, .options = names.options};
    struct xkb_keymap *keymap = xkb_keymap_new_from_names(ui->xkb, &rules, XKB_KEYMAP_COMPILE_NO_FLAGS);
    if (keymap)
        return keymap;
    log_error("the keyboard layout \"%s\" of " KEYBOARD_DEFAULTS " is not known; using \"us\"", names.layout);
    struct xkb_rule_names us = {.layout = "us"};
    return xkb_keymap_new_from_names(ui->xkb, &us, XKB_KEYMAP_COMPILE_NO_FLAGS);
}

static bool share_keymap(struct ui *ui)
{
    char *text = xkb_keymap_get_as_string(ui->keymap, XKB_KEYMAP_FORMAT_TEXT_V1);
    if (!text)
        return false;
    ui->keymap_size = (uint32_t)strlen(text) + 1;
    ui->keymap_fd = memfd_create("keymap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool written = ui->keymap_fd >= 0 && write(ui->keymap_fd, text, ui->keymap_size) == (ssize_t)ui->keymap_size;
    free(text);
    return written;
}

bool ui_keymap_key(struct ui *ui, uint32_t code, bool pressed)
{
    return ui->xkb_state &&
           xkb_state_update_key(ui->xkb_state, code + XKB_CODE_OFFSET, pressed ? XKB_KEY_DOWN : XKB_KEY_UP) != 0;
}

unsigned ui_lamps(const struct ui *ui)
{
    static const struct {
        const char *name;
        unsigned lamp;
    } lamps[] = {{XKB_LED_NAME_SCROLL, LAMP_SCROLL}, {XKB_LED_NAME_NUM, LAMP_NUM}, {XKB_LED_NAME_CAPS, LAMP_CAPS}};
    unsigned lit = 0;
    for (unsigned i = 0; ui->xkb_state && i < sizeof(lamps) / sizeof(lamps[0]); i++)
        if (xkb_state_led_name_is_active(ui->xkb_state, lamps[i].name) > 0)
            lit |= lamps[i].lamp;
    return lit;
}

bool ui_keymap_load(struct ui *ui)
{
    if (ui->xkb_state)
        return true;
    ui->xkb = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
    ui->keymap = ui->xkb ? load_keymap(ui) : NULL;
    ui->xkb_state = ui->keymap && share_keymap(ui) ? xkb_state_new(ui->keymap) : NULL;
    if (!ui->xkb_state) {
        log_error("cannot load a keyboard layout: is the package xkb-data installed?");
        ui_keymap_drop(ui);
        return false;
    }
    for (uint32_t code = 0; code < KEY_CNT; code++)
        if (key_set_has(&ui->keys, code))
            ui_keymap_key(ui, code, true); // held since before
    return true;
}

void ui_keymap_drop(struct ui *ui)
{
    xkb_state_unref(ui->xkb_state);
    xkb_keymap_unref(ui->keymap);
    xkb_context_unref(ui->xkb);
    if (ui->keymap_fd >= 0)
        close(ui->keymap_fd);
    ui->xkb_state = NULL;
    ui->keymap = NULL;
    ui->xkb = NULL;
    ui->keymap_fd = -1;
}
