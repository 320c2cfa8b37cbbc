from cimspec.quant.cache import SizedCache


def test_what_was_used_longest_ago_is_dropped_first():
    cache: SizedCache[str, str] = SizedCache(8, len)
    cache.put("a", "1234")
    cache.put("b", "1234")
    assert cache.get("a") == "1234"  # now `b` is the oldest
    cache.put("c", "123")  # 11 bytes: one has to go
    assert cache.get("b") is None
    assert (cache.get("a"), cache.get("c")) == ("1234", "123")


def test_a_value_that_is_replaced_is_not_counted_twice():
    cache: SizedCache[str, str] = SizedCache(8, len)
    for _ in range(5):
        cache.put("a", "1234")
    cache.put("b", "1234")
    assert (cache.get("a"), cache.get("b")) == ("1234", "1234")


def test_a_value_larger_than_the_limit_is_not_kept():
    cache: SizedCache[str, str] = SizedCache(3, len)
    cache.put("a", "1234")
    assert cache.get("a") is None
