#include "runtime/format/SafetensorsHeader.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unordered_set>

using namespace nnc;
using namespace nnc::format;

namespace {

using Json = nlohmann::json;

/// Receives the header piece by piece. The structure is
///   { "__metadata__": { text: text, ... }, NAME: { "dtype": text, "shape": [..],
///     "data_offsets": [..] }, ... }
/// Every callback returns false to stop, after setting `error`.
class HeaderReader : public nlohmann::json_sax<Json> {
public:
  SafetensorsHeader header;
  std::string error;

  bool start_object(size_t) override {
    if (place == Place::Start)
      return go(Place::Root);
    if (place == Place::Value)
      return beginTensor();
    if (place == Place::MetadataValue)
      return go(Place::Metadata);
    return unexpected();
  }

  bool key(string_t &name) override {
    switch (place) {
    case Place::Root:
      current.name = name;
      return go(name == "__metadata__" ? Place::MetadataValue : Place::Value);
    case Place::Metadata:
      metadataName = name;
      return true;
    default:
      return beginField(name);
    }
  }

  bool end_object() override {
    if (place == Place::Metadata)
      return go(Place::Root);
    if (place == Place::Root)
      return go(Place::End);
    if (fields.size() != 3)
      return fail(
          fmt::format("tensor `{}` lacks `dtype`, `shape` or `data_offsets`", current.name));
    header.entries.push_back(std::move(current));
    current = {};
    return go(Place::Root);
  }

  bool string(string_t &text) override {
    if (place == Place::Metadata) {
      header.metadata[metadataName] = text;
      return true;
    }
    if (place != Place::Dtype)
      return unexpected();
    current.dtype = text;
    return go(Place::Tensor);
  }

  bool start_array(size_t) override {
    if (place == Place::Shape)
      return go(Place::ShapeItems);
    if (place == Place::Offsets)
      return go(Place::OffsetItems);
    return unexpected();
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place == Place::ShapeItems)
      current.shape.push_back(value);
    else if (place == Place::OffsetItems)
      current.offsets.push_back(value);
    else
      return unexpected();
    return true;
  }

  bool end_array() override { return go(Place::Tensor); }

  bool null() override { return unexpected(); }
  bool boolean(bool) override { return unexpected(); }
  bool number_integer(number_integer_t) override { return unexpected(); }
  bool number_float(number_float_t, const string_t &) override { return unexpected(); }
  bool binary(binary_t &) override { return unexpected(); }
  bool parse_error(size_t position, const std::string &, const Json::exception &) override {
    return fail(fmt::format("it is not valid JSON at byte {}", position));
  }

private:
  enum class Place {
    Start,
    Root,
    MetadataValue,
    Metadata,
    Value,
    Tensor,
    Dtype,
    Shape,
    ShapeItems,
    Offsets,
    OffsetItems,
    End
  };

  bool go(Place next) {
    place = next;
    return true;
  }

  bool fail(std::string message) {
    if (error.empty())
      error = std::move(message);
    return false;
  }

  bool unexpected() {
    return fail(current.name.empty() ? "it is not a table of tensors"
                                     : fmt::format("tensor `{}` is malformed", current.name));
  }

  bool beginTensor() {
    if (!names.insert(current.name).second)
      return fail(fmt::format("tensor `{}` is there twice", current.name));
    fields.clear();
    return go(Place::Tensor);
  }

  bool beginField(const std::string &name) {
    if (place != Place::Tensor)
      return unexpected();
    if (!fields.insert(name).second)
      return fail(fmt::format("tensor `{}` has `{}` twice", current.name, name));
    if (name == "dtype")
      return go(Place::Dtype);
    if (name == "shape")
      return go(Place::Shape);
    if (name == "data_offsets")
      return go(Place::Offsets);
    return fail(fmt::format("tensor `{}` has an unknown field `{}`", current.name, name));
  }

  Place place = Place::Start;
  HeaderEntry current;
  std::string metadataName;
  std::unordered_set<std::string> names, fields;
};

} // namespace

Result<SafetensorsHeader> format::parseSafetensorsHeader(std::string_view json) {
  HeaderReader reader;
  if (!Json::sax_parse(json.begin(), json.end(), &reader))
    return Error{reader.error};
  return std::move(reader.header);
}
