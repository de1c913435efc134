/* The sockets of a call, plain or with TLS: `SocketTransport` and `TlsSocket`, read into the log's memory and written
   from there. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* The object in a slot, borrowed; NULL where it was never set. */
#define SLOT(object, offset) (*(PyObject **)((char *)(object) + (offset)))
#define IS_A(object, class) ((object) != NULL && Py_TYPE(object) == (class).type)

static int number_in(PyObject *object, Py_ssize_t offset, long long *value) {
    PyObject *found = SLOT(object, offset);
    if (found == NULL || !PyLong_Check(found)) {
        PyErr_SetString(PyExc_TypeError, "a slot of the relay holds no number");
        return -1;
    }
    *value = PyLong_AsLongLong(found);
    return *value == -1 && PyErr_Occurred() ? -1 : 0;
}

static int set_number(PyObject *object, Py_ssize_t offset, long long value) {
    PyObject *number = PyLong_FromLongLong(value), *before = SLOT(object, offset);
    if (number == NULL) return -1;
    SLOT(object, offset) = number;
    Py_XDECREF(before);
    return 0;
}

/* Where the slots of a class lie in its objects. */
static struct {
    PyTypeObject *type;
    Py_ssize_t fd, reading, clear, tls;
} socket_;
static struct {
    PyTypeObject *type;
    Py_ssize_t read, write;
} tls_;

/* Of TLS: what says that a socket would block, and what ends a connection without a farewell; and the bytes of a full
   record. */
static PyObject *waits, *ends;
static Py_ssize_t record_most;

/* What OpenSSL read from or wrote of a part of the log's memory; negative, and an exception, where it did nothing. */
static ssize_t through_tls(PyObject *tls, Py_ssize_t method, PyObject *view, Py_ssize_t at, Py_ssize_t most) {
    PyObject *part = PySequence_GetSlice(view, at, at + most), *function = SLOT(tls, method);
    if (part == NULL) return -1;
    PyObject *room = method == tls_.read ? PyLong_FromSsize_t(most) : Py_NewRef(part);
    PyObject *arguments[] = {room, part};
    PyObject *done = room == NULL ? NULL : PyObject_Vectorcall(function, arguments, method == tls_.read ? 2 : 1, NULL);
    Py_XDECREF(room);
    Py_DECREF(part);
    const ssize_t size = done == NULL ? -1 : PyLong_AsSsize_t(done);
    Py_XDECREF(done);
    return size;
}

/* `TlsSocket.recv_into` */
static ssize_t read_tls(PyObject *tls, PyObject *view, Py_ssize_t at, Py_ssize_t most) {
    ssize_t received = through_tls(tls, tls_.read, view, at, most), size = received;
    while (size == record_most && received < most) {
        size = through_tls(tls, tls_.read, view, at + received, most - received);
        if (size > 0) received += size;
    }
    if (received > 0) PyErr_Clear(); /* the next read meets it again */
    return received;
}

/* `TlsSocket.send`; 0 where nothing was sent: `write` meets that again. */
static ssize_t write_tls(PyObject *tls, PyObject *view, Py_ssize_t at, Py_ssize_t size) {
    const ssize_t sent = through_tls(tls, tls_.write, view, at, size);
    PyErr_Clear();
    return sent < 0 ? 0 : sent;
}

/* Whether its socket is there to be read or written by us. */
static int is_open(PyObject *transport) {
    if (!IS_A(transport, socket_)) return 0;
    PyObject *tls = SLOT(transport, socket_.tls);
    return tls == Py_None || (IS_A(tls, tls_) && SLOT(tls, tls_.read) != NULL && SLOT(tls, tls_.write) != NULL);
}

/* Into the log's memory; negative where nothing was there to read, with an exception or `errno`. */
static ssize_t receive(PyObject *transport, PyObject *view, Py_ssize_t at, Py_ssize_t most) {
    long long from;
    if (SLOT(transport, socket_.tls) != Py_None) return read_tls(SLOT(transport, socket_.tls), view, at, most);
    if (number_in(transport, socket_.fd, &from)) return -1;
    return recv((int)from, (char *)PyMemoryView_GET_BUFFER(view)->buf + at, (size_t)most, 0);
}

/* From the log's memory, as much as the peer takes now. */
static ssize_t transmit(PyObject *peer, PyObject *view, Py_ssize_t at, Py_ssize_t size) {
    long long to;
    if (SLOT(peer, socket_.clear) != Py_True) return 0;
    if (SLOT(peer, socket_.tls) != Py_None) return write_tls(SLOT(peer, socket_.tls), view, at, size);
    if (number_in(peer, socket_.fd, &to)) return -1;
    const ssize_t sent = send((int)to, (char *)PyMemoryView_GET_BUFFER(view)->buf + at, (size_t)size, MSG_NOSIGNAL);
    return sent < 0 ? 0 : sent; /* `write` meets it again */
}

/* The exception that was raised, or what `errno` says; a new reference. */
static PyObject *failure(void) {
    PyObject *type, *error, *trace;
    if (!PyErr_Occurred()) return PyObject_CallFunction(PyExc_OSError, "is", errno, strerror(errno));
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return error;
}

static PyObject *receive_failed(PyObject *transport) {
    if (PyErr_Occurred() ? PyErr_ExceptionMatches(waits) : errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    if (PyErr_Occurred() && PyErr_ExceptionMatches(ends)) {
        PyErr_Clear();
        return PyObject_CallMethod(transport, "end_of_file", NULL);
    }
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_OSError)) return NULL;
    PyObject *error = failure();
    return error == NULL ? NULL : PyObject_CallMethod(transport, "fail", "N", error);
}
