/* What the doubles of the Objective-C runtime and of Metal share: the objects that the one sends messages to and the other
 * gives out. */
#ifndef FAKE_OBJC_H
#define FAKE_OBJC_H

#define FAKE_OBJECTS 4096

enum fake_kind {
    FAKE_NOTHING, FAKE_DEVICE, FAKE_LIST, FAKE_STRING, FAKE_QUEUE, FAKE_BUFFER, FAKE_CLASS, FAKE_COMMANDS, FAKE_ENCODER, FAKE_LIBRARY,
    FAKE_FUNCTION, FAKE_PIPELINE, FAKE_ERROR
};

struct fake_object {
    enum fake_kind kind;
    const char *line;
    unsigned long long size;
    struct fake_object *items[32];
    const char *text;              /* of a string or an error */
    unsigned char *memory;         /* of a buffer */
    int is_private, status, count; /* of a buffer; of commands; of a command buffer's operations */
    struct fake_object *owner;     /* the command buffer of an encoder */
    struct fake_operation { struct fake_object *from, *to; unsigned long long size; } operations[80]; /* from nothing: the kernel */
};

extern struct fake_object fake_objects[FAKE_OBJECTS];
struct fake_object *fake_object(enum fake_kind kind);

#endif
