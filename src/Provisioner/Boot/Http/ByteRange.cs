using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Provisioner.Boot.Http;

internal static class ByteRange
{
    /// <summary>One range as RFC 9110 §14.1.2 writes it; several at once may be answered whole (§14.2), which every client takes.</summary>
    public static (long Offset, long Count, int Status) Of(StringValues header, long length)
    {
        if (header.Count != 1 || !RangeHeaderValue.TryParse(header[0], out var range) || range.Unit != "bytes" || range.Ranges.Count != 1)
            return (0, length, StatusCodes.Status200OK);
        var (from, to) = (range.Ranges.Single().From, range.Ranges.Single().To);
        var first = from ?? Math.Max(0, length - to!.Value);
        var last = from is null ? length - 1 : Math.Min(to ?? length - 1, length - 1);
        return first >= length || first > last
            ? (0, 0, StatusCodes.Status416RangeNotSatisfiable)
            : (first, last - first + 1, StatusCodes.Status206PartialContent);
    }
}
