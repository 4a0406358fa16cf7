#include "install_link.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>

struct install_link {
    const char *kind;
    char *request;
    const struct install_link_calls *calls; /* NULL: dropped */
    gpointer user;
    GSocketConnection *connection;
    GDataInputStream *stream;
    GCancellable *cancellable;
};

static void forget_request(struct install_link *link)
{
    if (link->request)
        explicit_bzero(link->request, strlen(link->request));
    g_clear_pointer(&link->request, g_free);
}

static void end(struct install_link *link)
{
    if (link->calls)
        link->calls->ended(link->kind, link->user);
    forget_request(link);
    g_clear_object(&link->stream);
    g_clear_object(&link->connection);
    g_clear_object(&link->cancellable);
    g_free(link);
}

static void read_next(struct install_link *link);

static void was_read(GObject *source, GAsyncResult *result, gpointer data)
{
    struct install_link *link = data;
    gsize length = 0;
    g_autofree char *line = g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(source), result, &length, NULL);
    struct record *record = line ? record_parse(line, length) : NULL;
    if (!line || !link->calls) {
        end(link);
        return;
    }
    if (record)
        link->calls->told(record, link->user);
    record_free(record);
    read_next(link);
}

static void read_next(struct install_link *link)
{
    g_data_input_stream_read_line_async(link->stream, G_PRIORITY_DEFAULT, link->cancellable, was_read, link);
}

static void was_written(GObject *source, GAsyncResult *result, gpointer data)
{
    struct install_link *link = data;
    if (g_output_stream_write_all_finish(G_OUTPUT_STREAM(source), result, NULL, NULL)) {
        forget_request(link);
        read_next(link);
    } else {
        end(link);
    }
}

static void connected(GObject *source, GAsyncResult *result, gpointer data)
{
    struct install_link *link = data;
    link->connection = g_socket_client_connect_finish(G_SOCKET_CLIENT(source), result, NULL);
    if (!link->connection) {
        end(link);
        return;
    }
    link->stream = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(link->connection)));
    g_output_stream_write_all_async(g_io_stream_get_output_stream(G_IO_STREAM(link->connection)), link->request,
                                    strlen(link->request), G_PRIORITY_DEFAULT, link->cancellable, was_written, link);
}

struct install_link *install_link_new(const char *kind, const char *request, const struct install_link_calls *calls,
                                      gpointer user)
{
    struct install_link *link = g_new0(struct install_link, 1);
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(INSTALLER_SOCKET);
    *link = (struct install_link){.kind = kind, .request = g_strdup(request), .calls = calls, .user = user};
    link->cancellable = g_cancellable_new();
    g_socket_client_connect_async(client, G_SOCKET_CONNECTABLE(address), link->cancellable, connected, link);
    return link;
}

void install_link_stop(struct install_link *link)
{
    if (link && link->connection)
        g_output_stream_write(g_io_stream_get_output_stream(G_IO_STREAM(link->connection)), "stop\n", 5, NULL, NULL);
}

void install_link_drop(struct install_link *link)
{
    if (!link)
        return;
    link->calls = NULL;
    g_cancellable_cancel(link->cancellable);
}
