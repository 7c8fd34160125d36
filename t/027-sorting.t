#!/usr/bin/perl
# sortBy and sortOrder (RFC 7644 3.4.2.3) order lists across all pages, filtered or not.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $enterprise = $Scim::Check::enterprise_urn;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => <<'EOS');
    location /scim/v2/ { scim main; }
    location /rfc/ { scim main; scim_profile rfc; }
EOS
my $c = $t->client(token => $t->seed('acme'));
$t->start;
my $base = '/scim/v2/Users';

sub create {
    my (@user) = @_;
    my $r = $c->request(POST => $base, json => Scim::user(@user));
    is $r->{status}, 201, 'POST creates a user' or diag $r->{body};
    return $r->{json}{id};
}

# Created in this order, which is the order of their ids.
my $delta = create 'delta', title => "\x{e4}rger", name => { familyName => 'Z' }, $enterprise => { department => 'b' };
create 'Alpha', title => 'apfel', externalId => 'b', emails => [{ value => 'z@x', type => 'home' }, { value => 'a@x', primary => JSON::PP::true }];
create 'charlie', title => 'Zebra', externalId => 'a', active => JSON::PP::false, emails => [{ value => 'B@x' }, { value => 'y@x' }];
create 'bravo', externalId => 'B', name => { familyName => 'a' }, emails => [{ type => 'work', value => 'c@x' }],
    $enterprise => { department => 'A', manager => { value => $delta } };
my @made = qw(delta Alpha charlie bravo);

# Checks that a query returns these users in this order.
sub sorted {
    my ($query, @users) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $json = is_list($c, "$base?$query", 4, scalar @users, "GET with '$query' returns a list");
    is_deeply [map $_->{userName}, @{ $json->{Resources} }], \@users, "GET with '$query' returns the order @users";
}

sorted '', @made;
sorted 'sortBy=', @made;
sorted 'sortOrder=descending', @made;
note "[S-89 S-90 S-91 S-92] sorted lists";
sorted 'sortBy=userName', qw(Alpha bravo charlie delta);
sorted 'sortby=USERNAME&sortorder=Descending', qw(delta charlie bravo Alpha);
sorted 'sortBy=urn:ietf:params:scim:schemas:core:2.0:User:userName&sortOrder=ascending', qw(Alpha bravo charlie delta);

# Strings that are not caseExact are compared without case, by code point. Resources without a value come last in ascending
# order and first in descending order (RFC 7644 3.4.2.3).
sorted 'sortBy=title', qw(Alpha charlie delta bravo);
sorted 'sortBy=title&sortOrder=descending', qw(bravo delta charlie Alpha);
# Strings that are caseExact are compared by code point.
sorted 'sortBy=externalId', qw(bravo charlie Alpha delta);
# Resources with equal values are in the order of their ids, ascending and descending.
sorted 'sortBy=active', qw(charlie delta Alpha bravo);
sorted 'sortBy=active&sortOrder=descending', qw(delta Alpha bravo charlie);
sorted 'sortBy=name.familyName', qw(bravo delta Alpha charlie);
sorted "sortBy=$enterprise:department", qw(bravo delta Alpha charlie);
sorted 'sortBy=department', qw(bravo delta Alpha charlie);
# A multi-valued attribute sorts by its primary element, else by its first one; a complex attribute by its sub-attribute
# value.
sorted "sortBy=$_", qw(Alpha charlie bravo delta) for qw(emails.value emails);
sorted 'sortBy=meta.created', @made;
sorted 'sortBy=id&sortOrder=descending', reverse @made;
# Two users may have been created within the same millisecond.
sub last_changed_first {
    my %time = map { $_->{userName} => $_->{meta}{lastModified} } @{ $c->request(GET => $base)->{json}{Resources} };
    return sort { $time{$b} cmp $time{$a} } @made;    # Perl's sort is stable
}
sorted 'sortBy=meta.lastModified&sortOrder=descending', last_changed_first();
$c->request(PUT => "$base/$delta", json => Scim::user('delta', title => "\x{e4}rger"));
sorted 'sortBy=meta.lastModified&sortOrder=descending', last_changed_first();
is +(last_changed_first())[0], 'delta', 'a replaced user was changed last';
sorted 'sortBy=manager.displayName', qw(bravo delta Alpha charlie);

# Pages
note "pages";
sorted 'sortBy=userName&count=2', qw(Alpha bravo);
sorted 'sortBy=userName&count=2&startIndex=2', qw(bravo charlie);
sorted 'sortBy=userName&startIndex=4', 'delta';
sorted 'sortBy=userName&startIndex=5';
sorted 'sortBy=userName&startIndex=2000000';    # more than scim_max_scan
sorted 'sortBy=title&sortOrder=descending&count=1&startIndex=2', 'delta';
sorted 'sortBy=title&count=0';
is_deeply [map $_->{userName}, @{ is_list($c, "$base?filter=title+pr&sortBy=userName&sortOrder=descending&count=2", 3, 2,
    'a filter with sortBy and count=2 returns two of three')->{Resources} }],
    [qw(delta charlie)], 'a filter with sortBy returns the matches in that order';

# sortBy on the computed attribute groups
$c->request(POST => '/scim/v2/Groups', json => { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
    displayName => $_->[0], members => [{ value => $_->[1] }] }) for ['two', $delta];
sorted 'sortBy=groups.display', @made;
sorted 'sortBy=groups', @made;

# Invalid sortBy and sortOrder
is_error $c->request(GET => "$_->[0]?$_->[1]"), 400, $_->[2], $_->[3], "[S-92] GET with $_->[1] is refused with 400" for (
    [$base, 'sortBy=nothing', 'invalidPath', qr/"sortBy" is "nothing", but User has no attribute of this name/],
    [$base, 'sortBy=name', 'invalidPath', qr/"name", which is complex/],
    [$base, 'sortBy=password', 'invalidPath', qr/never returned/],
    [$base, 'sortBy=userName&sortOrder=up', 'invalidValue', qr/"sortOrder" is "up", expected "ascending" or "descending"/],
    ['/rfc/Users', 'sortBy=department', 'invalidPath', qr/"department", which lacks the URN of an extension/]);

# --- lists that are long enough for the read threads

my $token = $t->token($t->tenant('many'));
my $many = $t->client(token => $token);
my $count = 2600;
$t->concurrently(8, $count, sub {
    my ($i, $client) = @_;
    return { status => $client->request(POST => $base, token => $token,
        json => Scim::user(sprintf('%04d', $i * 7919 % $count), title => 't' . $i % 3))->{status} };
});
my @names = map sprintf('%04d', $_), 0 .. $count - 1;
my $page = is_list $many, "$base?sortBy=userName&startIndex=1001&count=1000&attributes=userName", $count, 1000,
    'a sorted page of 1000 of 2600 users has 1000 resources';
is_deeply [map $_->{userName}, @{ $page->{Resources} }], [@names[1000 .. 1999]],
    'a sorted page of 1000 of 2600 users is in order';
$page = is_list $many, "$base?sortBy=userName&sortOrder=descending&startIndex=2591&attributes=userName", $count, 10,
    'the last page in descending order has 10 resources';
is_deeply [map $_->{userName}, @{ $page->{Resources} }], [reverse @names[0 .. 9]],
    'the last page in descending order is in order';
my @by_title = map { my $first = 1 + $_ * 650; @{ is_list($many,
    "$base?sortBy=title&count=650&startIndex=$first&attributes=title", $count, 650,
        "a sorted page from $first has 650 resources")->{Resources} } } 0 .. 3;
is_deeply [map $_->{title}, @by_title], [sort map $_->{title}, @by_title], '[S-92] consecutive pages continue the order';
is scalar(keys %{ { map { $_->{id} => 1 } @by_title } }), $count, '[S-92] no user is on two pages';

$t->finish;
