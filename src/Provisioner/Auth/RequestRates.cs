using System.Globalization;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
using Provisioner.Api;

namespace Provisioner.Auth;

/// <summary>So many requests for each person, each token, and each address that is neither.</summary>
internal static class RequestRates
{
    public static void Configure(RateLimiterOptions limiter, AccessOptions options)
    {
        limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context => RateLimitPartition.GetTokenBucketLimiter(
            context.User.Actor() ?? $"address/{context.Connection.RemoteIpAddress}",
            _ => new TokenBucketRateLimiterOptions
            {
                TokenLimit = options.RequestsPerMinute,
                TokensPerPeriod = Math.Max(1, options.RequestsPerMinute / 60),
                ReplenishmentPeriod = TimeSpan.FromSeconds(1),
                QueueLimit = 0,
            }));
        limiter.OnRejected = async (rejected, _) =>
        {
            rejected.HttpContext.Response.Headers.RetryAfter = (rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? (int)Math.Ceiling(wait.TotalSeconds) : 1).ToString(CultureInfo.InvariantCulture);
            await new Problem(StatusCodes.Status429TooManyRequests, $"More than {options.RequestsPerMinute} requests a minute. 'access.requestsPerMinute' in the configuration says how many are allowed.", [])
                .WriteAsync(rejected.HttpContext.Response);
        };
    }
}
