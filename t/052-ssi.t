#!/usr/bin/perl
# An SSI page includes the module's answers to subrequests.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store size=64m;', server => <<'EOS');
    root %%DIR%%;
    location /page/ { ssi on; ssi_types *; }
    location /scim/v2/ { scim main; }
EOS
mkdir "$t->{dir}/page" or die "$t->{dir}/page: $!";
$t->start->served('/scim/v2/Users');
my $token = $t->token($t->tenant('acme'));
my $users = '/scim/v2/Users';
my %id = map { $_ => $t->request(POST => $users, token => $token, json => Scim::user($_))->{json}{id} } qw(ada bob);

# The response with a page of these includes, each in brackets.
sub page {
    my ($o, @urls) = @_;
    $t->write_file('page/index', join "\n", map qq([<!--#include virtual="$_" -->]), @urls);
    return $t->request(GET => '/page/index', %$o);
}

sub included { return map scalar(eval { $Scim::json->decode($_) }), $_[0]{body} =~ /^\[(.*)\]$/mg }

my $r = page({ token => $token }, "$users/$id{ada}", "$users/$id{bob}");
is $r->{status}, 200, 'a page with two includes is answered with 200';
is join(' ', map $_->{userName} // '', included($r)), 'ada bob', 'a page with two includes holds both users in order';

$r = page({ token => $token }, "$users?filter=userName+eq+%22bob%22", "$users/none");
my ($list, $error) = included($r);
is $list->{totalResults}, 1, 'an include can be a query';
is $error->{status}, 404, 'an include of an unknown id is a SCIM Error with status 404';

($error) = included(page({}, "$users/$id{ada}"));
is $error->{status}, 401, 'an include without a token is a SCIM Error with status 401';

$t->finish;
