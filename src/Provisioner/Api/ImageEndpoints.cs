using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Provisioner.Boot;
using Provisioner.Images;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>Import of images and the check of their files.</summary>
internal static class ImageEndpoints
{
    public static void MapImages(this IEndpointRouteBuilder api)
    {
        api.MapPost("/images/{name}/import", ImportAsync);
        api.MapPost("/images/verify", (ImageStore store, CurrentState state, HttpContext context) =>
            VerifyAsync(store, state.Snapshot.Images.Values, context.RequestAborted));
        api.MapPost("/images/{name}/verify", (string name, ImageStore store, CurrentState state, HttpContext context) =>
            VerifyAsync(store, [(Image)ResourceEndpoints.Find(ResourceKind.Image, name, state.Snapshot)], context.RequestAborted));
    }

    private static async Task<IResult> ImportAsync(string name, HttpContext context, ImageImport import)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null; // A directory on a slow disk is still being read.
        var image = await import.ImportAsync(context.Request.Body, RequestOf(name, context.Request.Query, out var announced), announced, Caller.Name(context), context.RequestAborted);
        return Json.Answer(ResourceWriter.ToJson(image), StatusCodes.Status201Created);
    }

    private static ImageRequest RequestOf(string name, IQueryCollection query, out long? announced)
    {
        var mistakes = new List<Mistake>();
        if (Texts.Name(name, 63) is { } wrong)
            mistakes.Add(new Mistake($"'{Reading.Shorten(name)}' {wrong}") { Path = "name", Value = Reading.Shorten(name), Expected = Texts.NameExpected });
        CpuArchitecture? architecture = null;
        if (Single(query, "architecture") is { } word)
        {
            var reading = new Reading();
            if (Values.CpuArchitecture.TryRead(new TextNode.Scalar(word, true, new TextPosition(1, 1)), "architecture", reading, out var read))
                architecture = read;
            else
                mistakes.AddRange(reading.Mistakes.Select(m => m with { Document = null, Line = null, Column = null }));
        }
        foreach (var key in query.Keys.Where(k => k is not ("architecture" or "kernel" or "initrd" or "distribution" or "version" or "size")))
            mistakes.Add(new Mistake($"There is no parameter '{Reading.Shorten(key)}'") { Path = key, Expected = "architecture, kernel, initrd, distribution, version or size" });
        announced = long.TryParse(Single(query, "size"), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) ? bytes : null;
        if (mistakes.Count > 0)
            throw new ChangeRefusedException(RefusalKind.Invalid, mistakes);
        return new ImageRequest(name)
        {
            Architecture = architecture,
            Kernel = Single(query, "kernel"),
            Initrd = [.. query["initrd"].OfType<string>().Where(v => v.Length > 0)],
            Distribution = Single(query, "distribution"),
            Version = Single(query, "version"),
        };
    }

    private static string? Single(IQueryCollection query, string key) => query[key] is [{ Length: > 0 } value, ..] ? value : null;

    private static async Task<IResult> VerifyAsync(ImageStore store, IEnumerable<Image> images, CancellationToken cancellation)
    {
        var items = new List<JsonObject>();
        foreach (var image in images)
        {
            var verified = await ImageVerification.RunAsync(store, image, cancellation);
            items.Add(new JsonObject
            {
                ["image"] = verified.Image,
                ["files"] = verified.Files,
                ["bytes"] = verified.Bytes,
                ["differences"] = new JsonArray([.. verified.Differences.Select(d => (JsonNode)d)]),
            });
        }
        return Json.Answer(Json.List(items));
    }
}
