// wl_data_device_manager: copy and paste between the interface's own windows. Dragging is refused.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ui_internal.h"

enum { MAX_TYPES = 32, TYPE_LENGTH = 128 };

struct source {
    struct ui *ui;
    unsigned count;
    char *types[MAX_TYPES];
    struct wl_list offers; // resources, whose user data is the source's resource
};

// wl_data_source

static void source_offer(struct wl_client *client, struct wl_resource *resource, const char *type)
{
    struct source *source = wl_resource_get_user_data(resource);
    if (source->count == MAX_TYPES || strlen(type) > TYPE_LENGTH)
        return;
    source->types[source->count] = strdup(type);
    if (source->types[source->count])
        source->count++;
    else
        wl_client_post_no_memory(client);
}

static void source_actions(struct wl_client *client, struct wl_resource *resource, uint32_t actions)
{
    (void)client;
    (void)resource;
    (void)actions;
}

static const struct wl_data_source_interface source_implementation = {source_offer, ui_destroy_request, source_actions};

static void source_gone(struct wl_resource *resource)
{
    struct source *source = wl_resource_get_user_data(resource);
    struct wl_resource *offer, *next;
    wl_resource_for_each_safe(offer, next, &source->offers) {
        wl_resource_set_user_data(offer, NULL);
        wl_list_remove(wl_resource_get_link(offer));
        wl_list_init(wl_resource_get_link(offer));
    }
    if (source->ui->selection == resource)
        source->ui->selection = NULL;
    for (unsigned i = 0; i < source->count; i++)
        free(source->types[i]);
    free(source);
}

static void manager_create_source(struct wl_client *client, struct wl_resource *resource, uint32_t id)
{
    struct source *source = calloc(1, sizeof(*source));
    struct wl_resource *made =
        source ? wl_resource_create(client, &wl_data_source_interface, wl_resource_get_version(resource), id) : NULL;
    if (!made) {
        free(source);
        wl_client_post_no_memory(client);
        return;
    }
    source->ui = wl_resource_get_user_data(resource);
    wl_list_init(&source->offers);
    wl_resource_set_implementation(made, &source_implementation, source, source_gone);
}

// wl_data_offer

static void offer_accept(struct wl_client *client, struct wl_resource *resource, uint32_t serial, const char *type)
{
    (void)client;
    (void)resource;
    (void)serial;
    (void)type;
}

static void offer_receive(struct wl_client *client, struct wl_resource *resource, const char *type, int32_t fd)
{
    (void)client;
    struct wl_resource *source = wl_resource_get_user_data(resource);
    if (source)
        wl_data_source_send_send(source, type, fd);
    close(fd);
}

static void offer_finish(struct wl_client *client, struct wl_resource *resource)
{
    (void)client;
    (void)resource;
}

static void offer_actions(struct wl_client *client, struct wl_resource *resource, uint32_t actions, uint32_t preferred)
{
    (void)client;
    (void)resource;
    (void)actions;
    (void)preferred;
}

static const struct wl_data_offer_interface offer_implementation = {offer_accept, offer_receive, ui_destroy_request,
                                                                    offer_finish, offer_actions};

static void offer_gone(struct wl_resource *resource)
{
    wl_list_remove(wl_resource_get_link(resource));
}

static void send_selection(struct ui *ui, struct wl_resource *device)
{
    struct source *source = ui->selection ? wl_resource_get_user_data(ui->selection) : NULL;
    if (!source) {
        wl_data_device_send_selection(device, NULL);
        return;
    }
    struct wl_resource *offer = wl_resource_create(wl_resource_get_client(device), &wl_data_offer_interface,
                                                   wl_resource_get_version(device), 0);
    if (!offer)
        return;
    wl_resource_set_implementation(offer, &offer_implementation, ui->selection, offer_gone);
    wl_list_insert(&source->offers, wl_resource_get_link(offer));
    wl_data_device_send_data_offer(device, offer);
    for (unsigned i = 0; i < source->count; i++)
        wl_data_offer_send_offer(offer, source->types[i]);
    wl_data_device_send_selection(device, offer);
}

void ui_data_offer_selection(struct ui *ui)
{
    struct wl_resource *device;
    wl_resource_for_each(device, &ui->data_devices)
        send_selection(ui, device);
}

// wl_data_device

static void device_start_drag(struct wl_client *client, struct wl_resource *resource, struct wl_resource *source,
                              struct wl_resource *origin, struct wl_resource *icon, uint32_t serial)
{
    (void)client;
    (void)resource;
    (void)origin;
    (void)icon;
    (void)serial;
    if (source)
        wl_data_source_send_cancelled(source);
}

static void device_set_selection(struct wl_client *client, struct wl_resource *resource, struct wl_resource *source,
                                 uint32_t serial)
{
    (void)client;
    (void)serial;
    struct ui *ui = wl_resource_get_user_data(resource);
    if (ui->selection && ui->selection != source)
        wl_data_source_send_cancelled(ui->selection);
    ui->selection = source;
    if (ui->keyboard_focus)
        ui_data_offer_selection(ui);
}

static const struct wl_data_device_interface device_implementation = {device_start_drag, device_set_selection,
                                                                      ui_destroy_request};

static void device_gone(struct wl_resource *resource)
{
    wl_list_remove(wl_resource_get_link(resource));
}

static void manager_get_device(struct wl_client *client, struct wl_resource *resource, uint32_t id,
                               struct wl_resource *seat)
{
    (void)seat;
    struct ui *ui = wl_resource_get_user_data(resource);
    struct wl_resource *device =
        wl_resource_create(client, &wl_data_device_interface, wl_resource_get_version(resource), id);
    if (!device) {
        wl_client_post_no_memory(client);
        return;
    }
    wl_resource_set_implementation(device, &device_implementation, ui, device_gone);
    wl_list_insert(&ui->data_devices, wl_resource_get_link(device));
    if (ui->keyboard_focus)
        send_selection(ui, device);
}

static const struct wl_data_device_manager_interface manager_implementation = {manager_create_source,
                                                                               manager_get_device};

static void bind_manager(struct wl_client *client, void *data, uint32_t version, uint32_t id)
{
    struct wl_resource *resource = wl_resource_create(client, &wl_data_device_manager_interface, (int)version, id);
    if (resource)
        wl_resource_set_implementation(resource, &manager_implementation, data, NULL);
    else
        wl_client_post_no_memory(client);
}

void ui_data_start(struct ui *ui)
{
    wl_global_create(ui->seat->display, &wl_data_device_manager_interface, 3, ui, bind_manager);
}
