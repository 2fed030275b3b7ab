using Microsoft.AspNetCore.Http.Features;
using Provisioner.Boot.Http;
using Provisioner.Storage;

namespace Provisioner.Certificates.Est;

/// <summary>What every question and report of a host about itself begins and ends with. Each refuses by itself, with its reason.</summary>
internal static class SelfRequest
{
    private const int Drained = 1024 * 1024;

    /// <summary>Who asks, by the certificate; null when the refusal is sent.</summary>
    /// <param name="evenOver">One that is past its end will do, for a host that reports just that.</param>
    public static async Task<Certificate?> HostAsync(HttpContext context, Snapshot snapshot, DateTimeOffset now, bool evenOver)
    {
        if (PresentedCertificate.HostOf(context, snapshot, now, evenOver, out var refusal) is { } certificate)
            return certificate;
        await Refusal.SendAsync(context, StatusCodes.Status403Forbidden, refusal);
        return null;
    }

    /// <summary>The body; null when the refusal is sent.</summary>
    public static async Task<ReadOnlyMemory<byte>?> BodyAsync(HttpContext context, int maximum)
    {
        // Larger than what is taken: a sender that finds the connection closed in the middle of its body never sees why.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = Drained;
        var buffer = new byte[maximum + 1];
        try
        {
            var length = await context.Request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, context.RequestAborted);
            if (length <= maximum)
                return buffer.AsMemory(0, length);
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            // It says itself that it is larger still.
        }
        await Refusal.SendAsync(context, StatusCodes.Status413PayloadTooLarge, $"a report has at most {maximum} bytes");
        return null;
    }

    /// <summary>Stores; false when it could not and the refusal is sent.</summary>
    public static async Task<bool> StoreAsync(HttpContext context, Func<Task> store)
    {
        try
        {
            await store();
            return true;
        }
        catch (StoreException e)
        {
            context.Response.Headers.RetryAfter = "30";
            await Refusal.SendAsync(context, StatusCodes.Status503ServiceUnavailable, e.Message);
            return false;
        }
    }
}
