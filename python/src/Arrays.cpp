//===- Arrays.cpp - arrays of Python, borrowed and lent -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two ways in: types that publish DLPack's C exchange API (PyTorch does) fill a DLTensor without allocating anything,
// in a tenth of the time of the other way, the method __dlpack__ and its capsule. A capsule is not consumed: it stays
// its producer's and goes when the call is over.
//
//===----------------------------------------------------------------------===//
#include "Arrays.h"
#include "Errors.h"

#include <nanobind/stl/string.h>
#include <unordered_map>

namespace nb = nanobind;
using namespace bochner::python;

/// DLPack 1.3's table of functions, which a type holds in the attribute __dlpack_c_exchange_api__.
struct bochner::python::ExchangeApi {
  DLPackVersion version;
  ExchangeApi *previous;
  void *allocate;
  int (*exportManaged)(void *object, DLManagedTensorVersioned **tensor);
  int (*import)(DLManagedTensorVersioned *tensor, void **object);
  int (*borrow)(void *object, DLTensor *tensor); ///< may be NULL
  void *currentStream;
};

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

namespace {
struct TypeName {
  const char *name;
  DLDataType dtype;
  const char *format; ///< of the buffer protocol; NULL if it has none
};
} // namespace

static constexpr TypeName kTypes[] = {
    {"float32", {kDLFloat, 32, 1}, "f"}, {"float64", {kDLFloat, 64, 1}, "d"},
    {"float16", {kDLFloat, 16, 1}, "e"}, {"bfloat16", {kDLBfloat, 16, 1}, nullptr},
    {"int64", {kDLInt, 64, 1}, "q"},     {"int32", {kDLInt, 32, 1}, "i"},
    {"int16", {kDLInt, 16, 1}, "h"},     {"int8", {kDLInt, 8, 1}, "b"},
    {"uint8", {kDLUInt, 8, 1}, "B"},     {"bool", {kDLBool, 8, 1}, "?"},
};

static const TypeName *findType(DLDataType dtype) {
  for (const TypeName &type : kTypes)
    if (type.dtype.code == dtype.code && type.dtype.bits == dtype.bits && dtype.lanes == 1)
      return &type;
  return nullptr;
}

std::string bochner::python::dtypeName(DLDataType dtype) {
  if (const TypeName *type = findType(dtype))
    return type->name;
  return "type" + std::to_string(dtype.code) + "_" + std::to_string(dtype.bits);
}

DLDataType bochner::python::parseDtype(const std::string &name) {
  for (const TypeName &type : kTypes)
    if (name == type.name)
      return type.dtype;
  throwInvalidArgument("expected the name of an element type such as 'float32', but got '" + name + "'");
}

//===----------------------------------------------------------------------===//
// In
//===----------------------------------------------------------------------===//

/// The table of a type, or NULL. Types that have one are remembered, and kept alive for that.
static const ExchangeApi *findApi(PyTypeObject *type) {
  static auto *known = new std::unordered_map<PyTypeObject *, const ExchangeApi *>; // outlives the interpreter
  auto it = known->find(type);
  if (it != known->end())
    return it->second;
  nb::object capsule =
      nb::getattr(nb::handle(reinterpret_cast<PyObject *>(type)), "__dlpack_c_exchange_api__", nb::none());
  if (!PyCapsule_CheckExact(capsule.ptr()))
    return nullptr;
  auto *api = static_cast<const ExchangeApi *>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  if (!api) {
    PyErr_Clear(); // another layout under the same name: the other way remains
    return nullptr;
  }
  while (api && api->version.major != DLPACK_MAJOR_VERSION)
    api = api->previous;
  if (api) {
    Py_INCREF(reinterpret_cast<PyObject *>(type));
    known->emplace(type, api);
  }
  return api;
}

/// Calls __dlpack__, whose keywords not every producer knows.
static nb::object makeCapsule(nb::handle array, const char *what) {
  nb::object method = nb::getattr(array, "__dlpack__", nb::none());
  if (method.is_none())
    throwInvalidArgument(std::string("expected '") + what +
                         "' to be an array (an object with a method __dlpack__), but got " +
                         nb::cast<std::string>(nb::getattr(nb::handle((PyObject *)Py_TYPE(array.ptr())), "__name__")));
  try {
    return method(nb::arg("max_version") = nb::make_tuple(DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION));
  } catch (nb::python_error &error) {
    if (!error.matches(PyExc_TypeError))
      throw;
  }
  return method();
}

BorrowedArray::BorrowedArray(BorrowedArray &&other) noexcept
    : own(other.own), tensor(other.tensor), capsule(std::move(other.capsule)) {}

BorrowedArray::BorrowedArray(nb::handle array, bool writable, const char *what) {
  const ExchangeApi *api = findApi(Py_TYPE(array.ptr()));
  if (api && api->borrow) {
    if (api->borrow(array.ptr(), &own))
      throw nb::python_error();
    return;
  }
  capsule = makeCapsule(array, what);
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto *managed = static_cast<DLManagedTensorVersioned *>(PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    check(bochnerBorrowVersionedTensor(managed, writable, &tensor));
    return;
  }
  if (!PyCapsule_IsValid(capsule.ptr(), "dltensor"))
    throwInvalidArgument(std::string("expected __dlpack__ of '") + what + "' to return a capsule of DLPack");
  tensor = bochnerBorrowTensor(static_cast<DLManagedTensor *>(PyCapsule_GetPointer(capsule.ptr(), "dltensor")));
}

//===----------------------------------------------------------------------===//
// Out
//===----------------------------------------------------------------------===//

SharedTensor bochner::python::own(DLManagedTensorVersioned *tensor) {
  return SharedTensor(tensor, [](DLManagedTensorVersioned *t) { t->deleter(t); });
}

namespace {
/// bochner.Tensor.
struct Tensor {
  explicit Tensor(SharedTensor shared) : shared(std::move(shared)) {
    const DLTensor &tensor = this->shared->dl_tensor;
    Py_ssize_t stride = tensor.dtype.bits / 8;
    shape.assign(tensor.shape, tensor.shape + tensor.ndim);
    strides.resize(shape.size());
    for (size_t i = shape.size(); i-- > 0; stride *= shape[i])
      strides[i] = stride;
  }
  const DLTensor &get() const { return shared->dl_tensor; }

  SharedTensor shared;
  std::vector<Py_ssize_t> shape, strides; ///< in bytes; what buffers point to
};

/// One more name for a shared tensor, with a deleter that takes no lock: consumers call it from any thread.
template <typename Managed> Managed *alias(const SharedTensor &shared) {
  auto *managed = new Managed();
  managed->dl_tensor = shared->dl_tensor;
  managed->manager_ctx = new SharedTensor(shared);
  managed->deleter = [](Managed *self) {
    delete static_cast<SharedTensor *>(self->manager_ctx);
    delete self;
  };
  return managed;
}

template <typename Managed> void destroyCapsule(PyObject *capsule, const char *name) {
  // A consumer renames the capsule and owns the tensor from then on.
  if (!PyCapsule_IsValid(capsule, name))
    return;
  auto *managed = static_cast<Managed *>(PyCapsule_GetPointer(capsule, name));
  managed->deleter(managed);
}
} // namespace

static DLManagedTensorVersioned *aliasVersioned(const SharedTensor &shared) {
  auto *managed = alias<DLManagedTensorVersioned>(shared);
  managed->version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
  return managed;
}

static nb::object toCapsule(const Tensor &tensor, bool versioned) {
  PyObject *capsule;
  if (versioned)
    capsule = PyCapsule_New(aliasVersioned(tensor.shared), "dltensor_versioned", [](PyObject *self) {
      destroyCapsule<DLManagedTensorVersioned>(self, "dltensor_versioned");
    });
  else
    capsule = PyCapsule_New(alias<DLManagedTensor>(tensor.shared), "dltensor",
                            [](PyObject *self) { destroyCapsule<DLManagedTensor>(self, "dltensor"); });
  if (!capsule)
    throw nb::python_error();
  return nb::steal(capsule);
}

nb::object bochner::python::lend(SharedTensor tensor, nb::handle like) {
  const ExchangeApi *api = like.is_valid() ? findApi(Py_TYPE(like.ptr())) : nullptr;
  if (!api)
    return nb::cast(Tensor(std::move(tensor)));
  void *object = nullptr;
  if (api->import(aliasVersioned(tensor), &object))
    throw nb::python_error();
  return nb::steal(static_cast<PyObject *>(object));
}

static nb::object dlpack(const Tensor &self, nb::object stream, nb::object max_version, nb::object device,
                         nb::object copy) {
  auto refuse = [](const char *why) {
    PyErr_SetString(PyExc_BufferError, why);
    throw nb::python_error();
  };
  if (!stream.is_none())
    refuse("expected 'stream' to be None: tensors of Bochner are on the CPU");
  if (!device.is_none() && !device.equal(nb::make_tuple(int(kDLCPU), 0)))
    refuse("expected 'dl_device' to be the CPU, (1, 0)");
  if (!copy.is_none() && nb::cast<bool>(copy))
    refuse("expected 'copy' not to be True: make the copy where the tensor goes");
  bool versioned = !max_version.is_none() && nb::cast<int>(max_version[0]) >= 1;
  return toCapsule(self, versioned);
}

static int getBuffer(PyObject *object, Py_buffer *view, int) {
  // Always says everything: consumers that ask for less may ignore it, and memory is compact.
  Tensor &tensor = *nb::inst_ptr<Tensor>(object);
  const TypeName *type = findType(tensor.get().dtype);
  if (!type || !type->format) {
    PyErr_Format(PyExc_BufferError, "expected a type that buffers can hold, but got %s; use DLPack",
                 dtypeName(tensor.get().dtype).c_str());
    return -1;
  }
  *view = {};
  view->obj = object;
  Py_INCREF(object);
  view->buf = static_cast<char *>(tensor.get().data) + tensor.get().byte_offset;
  view->itemsize = tensor.get().dtype.bits / 8;
  view->len = view->itemsize;
  for (Py_ssize_t size : tensor.shape)
    view->len *= size;
  view->format = const_cast<char *>(type->format);
  view->ndim = int(tensor.shape.size());
  view->shape = tensor.shape.data();
  view->strides = tensor.strides.data();
  return 0;
}

void bochner::python::bindTensor(nb::module_ &module) {
  static PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void *>(getBuffer)}, {0, nullptr}};
  nb::class_<Tensor>(module, "Tensor", nb::type_slots(slots),
                     "A compact tensor of the library on the CPU, handed out through DLPack and the buffer protocol\n"
                     "(``numpy.asarray(t)``, ``torch.from_dlpack(t)``, ``jax.numpy.from_dlpack(t)``), never copied.")
      .def_prop_ro(
          "shape",
          [](const Tensor &self) {
            nb::list shape;
            for (Py_ssize_t size : self.shape)
              shape.append(size);
            return nb::tuple(shape);
          },
          nb::sig("def shape(self) -> tuple[int, ...]"))
      .def_prop_ro(
          "dtype", [](const Tensor &self) { return dtypeName(self.get().dtype); },
          "Name of the element type: 'float32', 'bfloat16', 'int64', ...")
      .def("__dlpack__", dlpack, nb::kw_only(), nb::arg("stream") = nb::none(), nb::arg("max_version") = nb::none(),
           nb::arg("dl_device") = nb::none(), nb::arg("copy") = nb::none())
      .def("__dlpack_device__", [](const Tensor &) { return nb::make_tuple(int(kDLCPU), 0); });
}
