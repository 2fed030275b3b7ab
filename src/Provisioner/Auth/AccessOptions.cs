using Provisioner.Auth.Oidc;
using Provisioner.Resources;

namespace Provisioner.Auth;

/// <summary>The configuration key <c>access</c>: how people and programs are let in.</summary>
public sealed record AccessOptions
{
    /// <summary>A session ends when it was not used for so long.</summary>
    public TimeSpan SessionIdle { get; init; } = TimeSpan.FromHours(8);

    /// <summary>And after so long whatever happens.</summary>
    public TimeSpan SessionAge { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Requests a minute that one person, token or unknown address may make, with as many saved up.</summary>
    public int RequestsPerMinute { get; init; } = 1_200;

    /// <summary>An identity provider that signs people in besides those with a password here.</summary>
    public OidcOptions? Oidc { get; init; }
}

/// <summary>The keys of <c>access</c>.</summary>
internal static class AccessFields
{
    public static Shape<AccessOptions> Access { get; } = Declare();

    private static Shape<AccessOptions> Declare()
    {
        var length = Values.DurationBetween(TimeSpan.FromMinutes(5), TimeSpan.FromDays(90), "a duration", "such as 30m, 8h or 7d, from 5m to 90d");
        var shape = new Shape<AccessOptions>("access", () => new AccessOptions());
        shape.Default("sessionIdle", length, o => o.SessionIdle, (o, v) => o with { SessionIdle = v }, "A session ends when it was not used for so long.");
        shape.Default("sessionAge", length, o => o.SessionAge, (o, v) => o with { SessionAge = v }, "A session ends after so long, used or not.");
        shape.Default("requestsPerMinute", Values.Integer(60, 1_000_000), o => o.RequestsPerMinute, (o, v) => o with { RequestsPerMinute = v }, "Requests a minute of one person, token or unknown address.");
        shape.Optional("oidc", OidcFields.Oidc, o => o.Oidc, (o, v) => o with { Oidc = v }, "An identity provider that signs people in, besides those with a password here.");
        shape.Check((options, report) =>
        {
            if (options.SessionIdle > options.SessionAge)
                report("sessionIdle", "is longer than sessionAge", Values.Format(options.SessionIdle), $"at most {Values.Format(options.SessionAge)}");
        });
        return shape;
    }
}
