using System.Reflection;
using System.Security.Claims;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Provisioner.Auth;

namespace Provisioner.Web.Live;

/// <summary>Whoever looks at an open page: who it is, and what he may do at this moment, which can be less than when he opened it.</summary>
internal sealed class Visit
{
    private readonly Visitors visitors;
    private ClaimsPrincipal principal = new();

    public Visit(AuthenticationStateProvider provider, Visitors visitors)
    {
        this.visitors = visitors;
        // The circuit knows its visitor before any page is made, so that this does not wait.
        _ = TakeAsync(provider);
    }

    public string Name => principal.Identity?.Name ?? "";

    public string Actor => principal.Actor() ?? "";

    public Role? Role => Identities.RoleOf(principal);

    public string RoleWord => Role is { } role ? Roles.Word(role) : "";

    /// <summary>The session has not ended, and its role is what it was.</summary>
    public bool IsStillIn => visitors.IsStillIn(principal);

    private async Task TakeAsync(AuthenticationStateProvider provider) => principal = (await provider.GetAuthenticationStateAsync()).User;

    /// <summary>Whether the API would let this visitor do that: one table rules both.</summary>
    /// <param name="pattern">As in <see cref="AccessRules"/>, below <c>/api/v1</c>.</param>
    public bool May(string method, string pattern) => AccessRules.Find(method, "/api/v1" + pattern)?.Role is { } needed && Role >= needed;

    /// <summary>Whether this visitor may see a page, by the rule of its address.</summary>
    public bool MaySee(Type page) => page.GetCustomAttributes<RouteAttribute>().All(route => AccessRules.Find(HttpMethods.Get, route.Template) is { } rule && (rule.Role is null || Role >= rule.Role));

    /// <summary>Whether this visitor may create, change and delete resources of that kind.</summary>
    public bool MayChange(string kind) => Role >= AccessRules.RoleToChange(kind);
}
