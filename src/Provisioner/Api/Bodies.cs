using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Provisioner.Resources;

namespace Provisioner.Api;

/// <summary>Reads request bodies: YAML, and JSON because that is YAML, too. Every mistake is named with its line.</summary>
internal static class Bodies
{
    public static async Task<string> TextAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = 4L * YamlText.MaximumLength;
        using var reader = new StreamReader(context.Request.Body, new UTF8Encoding(false, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: false);
        try
        {
            return (await reader.ReadToEndAsync(context.RequestAborted)).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
        {
            throw new ChangeRefusedException(RefusalKind.Invalid, "The text is not UTF-8.");
        }
    }

    /// <summary>Reads one mapping of that shape; an empty body is an empty mapping.</summary>
    public static async Task<T> ReadAsync<T>(HttpContext context, Shape<T> shape)
    {
        var text = await TextAsync(context);
        if (string.IsNullOrWhiteSpace(text))
            text = "{}";
        var reading = new Reading();
        var found = new List<T>();
        YamlText.Read(text, reading, node =>
        {
            if (shape.TryRead(node, "", reading, out var value))
                found.Add(value);
        });
        if (reading.Mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, reading.Mistakes);
        return found is [var one] ? one : throw new ChangeRefusedException(RefusalKind.Invalid, "The body is to be one mapping.");
    }
}
