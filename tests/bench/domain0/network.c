/*
 * Domain-0's end of the connection that guest/network.c measures: serves one guest after the other, and never ends.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "network.h"

static int serve(int guest)
{
    char what;
    while (recv(guest, &what, 1, 0) == 1) {
        if (what == GIVE ? network_send(guest) : network_receive(guest))
            return -1;
        if (what == TAKE && send(guest, &what, 1, 0) != 1)
            return -1;
    }
    return 0;
}

int main(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(NETWORK_PORT)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), guest;
    if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 1)) {
        perror("network");
        return 1;
    }
    while ((guest = accept(listener, NULL, NULL)) >= 0) {
        if (serve(guest))
            perror("network: a guest's connection");
        close(guest);
    }
    perror("network: accept");
    return 1;
}
